/// Bounds on what a guest may take from its host. The defaults suit a server, and keep
/// a hostile guest from exhausting the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Sockets at a time, TCP and Unix, made and accepted.
    ///
    /// A socket counts until the guest has dropped its handle and its streams. Making
    /// one more fails. One more connection to accept is reset, or closed on a Unix
    /// socket.
    pub sockets: usize,
    /// Bytes of linear memory, all memories of the guest together. Most guests trap
    /// when their memory cannot grow.
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
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sockets: 20_000,
            memory: usize::try_from(4_u64 << 30).unwrap_or(usize::MAX),
            handles: 1_000_000,
            concurrent: 1_000_000,
            resources: 1_000_000,
            table_elements: 10_000_000,
        }
    }
}
