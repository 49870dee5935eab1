use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::log_limiter::{LogLimiter, Verdict};
use super::{Denial, Limits, ListenAddress, Observer, Request, SocketPermit, Stats};
use crate::policy::{Decision, DenyReason, Grants, HostName, Policy, UnixName, UnixUse, Use};

/// Where every request of a guest passes: decides by the policy, counts, reports.
pub(crate) struct AccessGuard {
    policy: Policy,
    limits: Limits,
    stats: Stats,
    observer: Box<dyn Observer>,
    grants: Mutex<Grants>,
    log_limiter: Mutex<LogLimiter>,
    unverified: AtomicBool,
}

impl AccessGuard {
    pub(crate) fn new(
        policy: Policy,
        limits: Limits,
        stats: Stats,
        observer: Box<dyn Observer>,
    ) -> Self {
        Self {
            policy,
            limits,
            stats,
            observer,
            grants: Mutex::default(),
            log_limiter: Mutex::new(LogLimiter::new(Instant::now())),
            unverified: AtomicBool::new(false),
        }
    }

    /// The permit of one more socket, if the guest may have one.
    pub(crate) fn permit(&self) -> Option<SocketPermit> {
        let limit = self.limits.sockets;
        if self.stats.sockets_open() < limit {
            return Some(SocketPermit::take(self.stats.clone()));
        }
        self.deny(Request::Socket, DenyReason::SocketLimit(limit));
        None
    }

    /// The guest requested_address for so many bytes of memory in all, and does not get
    /// them.
    pub(crate) fn memory_denied(&self, bytes: usize) {
        self.deny(
            Request::Memory(bytes),
            DenyReason::MemoryLimit(self.limits.memory),
        );
    }

    pub(crate) fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Whether the guest may look this name up.
    pub(crate) fn lookup(&self, name: &HostName) -> bool {
        match self.policy.decide_lookup(name) {
            Decision::Allow => true,
            Decision::Deny(reason) => {
                self.deny(Request::Lookup(name.clone()), reason);
                false
            }
        }
    }

    /// Remembers what a look-up gave.
    pub(crate) fn resolved(&self, name: &HostName, addresses: &[IpAddr]) {
        if self.policy.grants_by_name(name) {
            lock(&self.grants).record(name, addresses, Instant::now());
        }
    }

    /// Tells the observer that a listener is up.
    pub(crate) fn listening(&self, address: impl Into<ListenAddress>) {
        self.observer.listening(&address.into());
    }

    /// Whether the guest may use the address so: one to bind to or to listen on
    /// as the guest wrote it.
    pub(crate) fn allows(&self, usage: Use, address: SocketAddr) -> bool {
        let decision = {
            let grants = lock(&self.grants);
            self.policy.decide(usage, address, &grants, Instant::now())
        };
        let Decision::Deny(reason) = decision else {
            return true;
        };
        let request = match usage {
            Use::Connect => Request::Connect(address),
            Use::Bind => Request::Bind(address),
            Use::Listen => Request::Listen(address),
            Use::Share => Request::Share(address),
        };
        self.deny(request, reason);
        false
    }

    /// Whether the guest may connect to the Unix socket of this name.
    pub(crate) fn unix_connect(&self, name: &UnixName) -> bool {
        match self.policy.decide_unix_connect(name) {
            Decision::Allow => true,
            Decision::Deny(reason) => {
                self.unix_denied(UnixUse::Connect, name, reason);
                false
            }
        }
    }

    /// Whether the guest may bind to this name and listen there: then the mode that
    /// the socket's file is to have.
    pub(crate) fn unix_listen(&self, name: &UnixName) -> Option<u32> {
        self.policy
            .decide_unix_listen(name)
            .map_err(|reason| self.unix_denied(UnixUse::Listen, name, reason))
            .ok()
    }

    /// The guest does not get the Unix socket of this name, for a reason that is
    /// found where the socket is.
    pub(crate) fn unix_denied(&self, usage: UnixUse, name: &UnixName, reason: DenyReason) {
        let name = name.clone();
        let request = match usage {
            UnixUse::Connect => Request::ConnectUnix(name),
            UnixUse::Listen => Request::ListenUnix(name),
        };
        self.deny(request, reason);
    }

    /// The guest does not get this, because nobody has granted it.
    pub(crate) fn not_granted(&self, request: Request) {
        self.deny(request, DenyReason::NotGranted);
    }

    /// A client of the guest does not check with whom it has a session. The observer
    /// is told of the first one.
    pub(crate) fn unverified(&self) {
        if !self.unverified.swap(true, Ordering::Relaxed) {
            self.observer.unverified();
        }
    }

    fn deny(&self, request: Request, reason: DenyReason) {
        self.stats.denied();
        let denial = Denial { request, reason };
        let verdict = lock(&self.log_limiter).judge(&denial, Instant::now());
        if let Verdict::Show { suppressed } = verdict {
            if suppressed > 0 {
                self.observer.suppressed(suppressed);
            }
            self.observer.denied(&denial);
        }
    }
}

/// No code panics while it holds one of these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<String>>>);

    impl Observer for Lines {
        fn denied(&self, denial: &Denial) {
            lock(&self.0).push(denial.to_string());
        }

        fn unverified(&self) {
            lock(&self.0).push("unverified".to_owned());
        }
    }

    fn guard(connect: &[&str], listen: &[&str], sockets: usize) -> (AccessGuard, Lines) {
        let mut policy = Policy::new();
        for rule in connect {
            policy.allow_connect(rule.parse().unwrap());
        }
        for rule in listen {
            policy.allow_listen(rule.parse().unwrap());
        }
        let limits = Limits {
            sockets,
            ..Limits::default()
        };
        let lines = Lines::default();
        let guard = AccessGuard::new(policy, limits, Stats::new(), Box::new(lines.clone()));
        (guard, lines)
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_connect_without_a_rule_is_denied_and_reported() {
        let (guard, lines) = guard(&["tcp://127.0.0.1:80"], &[], 1);
        assert!(guard.allows(Use::Connect, address("127.0.0.1:80")));
        assert!(!guard.allows(Use::Connect, address("127.0.0.1:81")));
        assert_eq!(lock(&lines.0).len(), 1);
    }

    #[test]
    fn an_explicit_bind_needs_a_listen_rule() {
        let (guard, lines) = guard(&["tcp://127.0.0.1:80"], &[], 1);
        assert!(!guard.allows(Use::Bind, address("127.0.0.1:80")));
        let line = lock(&lines.0).first().cloned().unwrap_or_default();
        assert!(line.contains("denied: bind to 127.0.0.1:80: "), "{line}");
    }

    #[test]
    fn accepting_follows_from_listening_up_to_the_limit_of_sockets() {
        let (guard, lines) = guard(&[], &["tcp://127.0.0.1:0"], 2);
        let listener = guard.permit();
        let connection = guard.permit();
        assert!(listener.is_some() && connection.is_some());
        assert!(guard.permit().is_none());
        drop(connection);
        assert!(guard.permit().is_some());
        let line = lock(&lines.0).first().cloned().unwrap_or_default();
        assert!(line.contains("the limit of sockets is 2"), "{line}");
    }

    #[test]
    fn the_same_denial_is_reported_once_and_counted_always() {
        let (guard, lines) = guard(&[], &[], 1);
        for _ in 0..1000 {
            guard.allows(Use::Connect, address("127.0.0.1:80"));
        }
        assert_eq!(lock(&lines.0).len(), 1);
        assert_eq!(guard.stats.snapshot().denied_total, 1000);
    }

    #[test]
    fn a_unix_socket_is_had_by_a_rule_and_denied_with_a_report() {
        let (guard, lines) = guard(&["unix:///run/a"], &["unix:///run/b?mode=0660"], 1);
        let [a, b] = [b"/run/a", b"/run/b"].map(|path| UnixName::path(path).unwrap());
        assert!(guard.unix_connect(&a));
        assert_eq!(guard.unix_listen(&b), Some(0o660));
        assert!(!guard.unix_connect(&b));
        assert_eq!(guard.unix_listen(&a), None);
        guard.unix_denied(UnixUse::Connect, &a, DenyReason::Permission);
        let lines = lock(&lines.0).clone();
        let parts = [
            "connect to unix:///run/b: no rule",
            "listen on unix:///run/a: no rule",
            "connect to unix:///run/a: the operating system",
        ];
        assert_eq!(lines.len(), parts.len(), "{lines:?}");
        for (line, part) in lines.iter().zip(parts) {
            assert!(line.contains(part), "{line}");
        }
        assert_eq!(guard.stats.snapshot().denied_total, 3);
    }

    #[test]
    fn what_is_not_granted_is_reported_and_counted() {
        let (guard, lines) = guard(&[], &[], 1);
        guard.not_granted(Request::TlsRoots);
        guard.not_granted(Request::TlsRoots);
        let line = lock(&lines.0).concat();
        assert!(
            line.ends_with("trust TLS roots of its own: it is not granted"),
            "{line}"
        );
        assert_eq!(guard.stats.snapshot().denied_total, 2);
    }

    #[test]
    fn of_the_sessions_with_an_unchecked_server_the_first_is_reported() {
        let (guard, lines) = guard(&[], &[], 1);
        guard.unverified();
        guard.unverified();
        assert_eq!(*lock(&lines.0), ["unverified"]);
        assert_eq!(guard.stats.snapshot().denied_total, 0);
    }

    #[test]
    fn a_look_up_grants_connecting_to_what_it_gave() {
        let (guard, _) = guard(&["tcp://a.example:80"], &[], 1);
        let name = "a.example".parse().unwrap();
        assert!(guard.lookup(&name));
        assert!(!guard.allows(Use::Connect, address("1.1.1.1:80")));
        guard.resolved(&name, &["1.1.1.1".parse().unwrap()]);
        assert!(guard.allows(Use::Connect, address("1.1.1.1:80")));
    }
}
