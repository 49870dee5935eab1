use std::cmp::min;
use std::time::Duration;

/// The bytes that an entry of wasmtime's tables takes at most, with the value in it, as
/// measured with wasmtime 48: 905 for a wait, 150 for an end of a stream.
const HANDLE: usize = 64;
const CONCURRENT: usize = 1024;
const RESOURCE: usize = 512;

/// The least and the most bytes of one call that the host copies, such as a list.
const CALL: std::ops::RangeInclusive<usize> = (1 << 20)..=(64 << 20);

/// Bounds on what a guest may take from its host. The defaults suit a server on a laptop,
/// and keep a hostile guest from exhausting the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Sockets at a time, TCP and Unix, made and accepted.
    ///
    /// A socket counts until the guest has dropped its handle and its streams. Making
    /// one more fails. One more connection to accept is reset, or closed on a Unix
    /// socket.
    pub sockets: usize,
    /// Bytes of memory: the guest's linear memories and tables, and everything that the
    /// host keeps for it, such as TLS settings and sessions, and the kernel's buffers of
    /// socket pairs. Most guests trap when their memory cannot grow.
    ///
    /// The tables of handles, of tasks and of resources have limits of their own below. They
    /// take a quarter, a half and a quarter of this memory at most, in addition to it.
    pub memory: usize,
    /// Component handles at a time; a connection takes about five.
    pub handles: usize,
    /// Entries in the store's table of tasks, streams and futures; a connection takes
    /// about twenty.
    pub concurrent: usize,
    /// Entries in the host's resource table: one for each listener, and one for each
    /// connection while the guest keeps its handle beside the streams.
    pub resources: usize,
    /// Elements of all tables of the guest together.
    pub table_elements: usize,
    /// Instances of core modules.
    pub instances: usize,
    /// Linear memories.
    pub memories: usize,
    /// Tables of functions and references.
    pub tables: usize,
    /// TLS contexts at a time.
    pub tls_contexts: usize,
    /// Files of Unix sockets that the guest has made and not removed.
    pub unix_files: usize,
    /// When [`sockets`](Self::sockets) are open and a peer connects, the accepted connection
    /// that has been idle for longest is reset for it, if it has been idle for this time.
    /// `None`, the default, refuses the new connection instead.
    pub close_idle: Option<Duration>,
}

impl Limits {
    /// Returns the same limits, with tables of handles, of tasks and of resources that take a
    /// quarter, a half and a quarter of the memory at most.
    pub(crate) fn fitted(self) -> Self {
        Self {
            handles: min(self.handles, self.memory / 4 / HANDLE),
            concurrent: min(self.concurrent, self.memory / 2 / CONCURRENT),
            resources: min(self.resources, self.memory / 4 / RESOURCE),
            ..self
        }
    }

    /// Bytes that one call of the guest may have the host copy: a quarter of the memory.
    pub(crate) fn bytes_of_a_call(&self) -> usize {
        (self.memory / 4).clamp(*CALL.start(), *CALL.end())
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sockets: 20_000,
            memory: 1 << 30,
            handles: 1_000_000,
            concurrent: 1_000_000,
            resources: 1_000_000,
            table_elements: 10_000_000,
            instances: 1000,
            memories: 100,
            tables: 1000,
            tls_contexts: 1000,
            unix_files: 1000,
            close_idle: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_have_a_share_of_the_memory_and_no_more_than_their_limit() {
        let limits = Limits {
            memory: 64 << 20,
            ..Limits::default()
        };
        let fitted = limits.fitted();
        assert_eq!(fitted.handles, 262_144);
        assert_eq!(fitted.concurrent, 32_768);
        assert_eq!(fitted.resources, 32_768);
        assert_eq!(limits.bytes_of_a_call(), 16 << 20);
        let more = Limits {
            memory: 64 << 30,
            ..limits
        };
        assert_eq!(more.fitted(), more);
    }

    #[test]
    fn the_defaults_have_room_for_as_many_connections_as_sockets() {
        let limits = Limits::default().fitted();
        assert!(limits.concurrent >= 20 * limits.sockets);
        assert!(limits.handles >= 5 * limits.sockets);
        assert!(limits.resources >= limits.sockets);
    }
}
