//! The access guard, which every request of a guest passes.

mod connections;
mod granted;
mod quotas;

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub(crate) use self::connections::ListenSource;
pub(crate) use self::granted::{BindTcp, BindUnix, Connect, Granted, ListenTcp, PortOwner};
use self::quotas::GuestQuotas;
pub(crate) use self::quotas::{ConnectionSlot, SharedBytes};
use super::budget::{Budget, Charge, OverBudget};
use super::denial::{Denial, Request};
use super::inherited::{InheritedListener, InheritedListeners, TakeError};
use super::interfaces::Interfaces;
use super::limits::Limits;
use super::listen_address::ListenAddress;
use super::observer::Observer;
use super::permit::SocketPermit;
use super::reporter::Reporter;
use super::statistics::Stats;
use crate::lock::lock;
use crate::policy::{
    DEFAULT_MODE, Decision, DenyReason, Grants, HostName, PolicyRule, Rule, SharedPolicy, UnixName,
    UnixUse, Use,
};
use crate::quota::Quotas;

/// The most sockets that the host has taken from a guest and that the guest still holds.
const REVOKED: usize = 16;

/// Checks every request of a guest against the policy, the limits and the quotas; counts
/// and reports denials.
pub(crate) struct AccessGuard {
    policy: SharedPolicy,
    limits: Limits,
    budget: Budget,
    quotas: GuestQuotas,
    reporter: Arc<Reporter>,
    grants: Mutex<Grants>,
    interfaces: Interfaces,
    unverified: AtomicBool,
    /// The files of Unix sockets that the guest has made, and perhaps removed since.
    unix_files: Mutex<HashSet<UnixName>>,
    /// True if requests that the policy denies are allowed, and only the observer is told.
    dry_run: bool,
}

impl AccessGuard {
    pub(crate) fn new(
        policy: impl Into<SharedPolicy>,
        limits: Limits,
        stats: Stats,
        observer: Box<dyn Observer>,
    ) -> Self {
        let reporter = Arc::new(Reporter::new(stats, observer.into()));
        Self {
            policy: policy.into(),
            limits,
            budget: Budget::new(limits.memory, reporter.stats().clone()),
            quotas: GuestQuotas::new(&Quotas::default(), &reporter),
            reporter,
            grants: Mutex::default(),
            interfaces: Interfaces::default(),
            unverified: AtomicBool::new(false),
            unix_files: Mutex::default(),
            dry_run: false,
        }
    }

    /// Sets the quotas, which start unused.
    pub(crate) fn quotas(mut self, quotas: &Quotas) -> Self {
        self.quotas = GuestQuotas::new(quotas, &self.reporter);
        self
    }

    /// Sets whether requests that the policy denies are only reported.
    pub(crate) fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    /// A permit for one more socket, unless the guest has as many as it may.
    pub(crate) fn permit(&self) -> Option<SocketPermit> {
        let limit = self.limits.sockets;
        if self.stats().sockets_open() < limit {
            return Some(SocketPermit::take(self.stats().clone()));
        }
        self.deny(Request::Socket, DenyReason::SocketLimit(limit));
        None
    }

    /// A permit for a connection that a peer opens. `close_idle` resets the accepted connection
    /// that has been idle for longest, at least for this time, if there is one.
    pub(crate) fn permit_to_accept(
        &self,
        close_idle: impl FnOnce(Duration),
    ) -> Option<SocketPermit> {
        let time = self.limits.close_idle;
        let full = self.stats().sockets_open() >= self.limits.sockets;
        // Descriptors that the guest does not give back come from the host's reserve.
        if full
            && self.stats().revoked() < REVOKED
            && let Some(time) = time
        {
            close_idle(time);
        }
        let permit = self.permit()?;
        if time.is_some() {
            permit.tracks_activity();
        }
        Some(permit)
    }

    /// Reports a connection that the guest does not get because of this limit.
    pub(crate) fn connection_denied(&self, reached: DenyReason) {
        self.deny(Request::Socket, reached);
    }

    /// A permit beyond the limit, for a socket in the guest's table that has no descriptor:
    /// it only tells the guest why no connection was accepted.
    pub(crate) fn permit_without_descriptor(&self) -> SocketPermit {
        SocketPermit::take(self.stats().clone())
    }

    /// Charges memory that the host is to keep for the guest, until the charge is dropped.
    /// Returns `None` if it would be more than the limit, and reports that.
    pub(crate) fn charge(&self, bytes: usize) -> Option<Charge> {
        let charge = self.budget.charge(bytes);
        charge.map_err(|over| self.memory_denied(over)).ok()
    }

    /// Changes a charge. Returns false if it would be more than the limit, and reports that.
    pub(crate) fn recharge(&self, charge: &mut Charge, bytes: usize) -> bool {
        let changed = charge.set(bytes);
        changed.map_err(|over| self.memory_denied(over)).is_ok()
    }

    /// Charges memory for a growth that the limiter permits, and gives back if it fails.
    pub(super) fn charge_growth(&self, bytes: usize) -> bool {
        let taken = self.budget.take(bytes);
        taken.map_err(|over| self.memory_denied(over)).is_ok()
    }

    /// The memory of the guest, for charges that may fail without a report.
    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Reports that the guest does not get memory.
    pub(crate) fn memory_denied(&self, OverBudget { total }: OverBudget) {
        self.deny(
            Request::Memory(total),
            DenyReason::MemoryLimit(self.limits.memory),
        );
    }

    pub(crate) fn stats(&self) -> &Stats {
        self.reporter.stats()
    }

    fn observer(&self) -> &Arc<dyn Observer> {
        self.reporter.observer()
    }

    /// Asks whether the guest may look this name up.
    pub(crate) fn lookup(&self, name: &HostName) -> bool {
        match self.policy.current().decide_lookup(name) {
            Decision::Allow => true,
            Decision::Deny(reason) => self.refuse(Request::Lookup(name.clone()), reason),
        }
    }

    /// Returns those of `localhost`'s addresses that a rule covers, or all if no rule covers
    /// any: the denial then says which rule is missing.
    pub(crate) fn loopback(&self, addresses: &[IpAddr]) -> Vec<IpAddr> {
        let policy = self.policy.current();
        let covered = addresses.iter().copied();
        let covered: Vec<IpAddr> = covered.filter(|ip| policy.covers_loopback(*ip)).collect();
        match covered.is_empty() {
            true => addresses.to_vec(),
            false => covered,
        }
    }

    /// Remembers the addresses that a look-up gave: rules with the name cover them.
    pub(crate) fn resolved(&self, name: &HostName, addresses: &[IpAddr]) {
        if self.dry_run || self.policy.current().grants_by_name(name) {
            lock(&self.grants).record(name, addresses, Instant::now());
        }
    }

    /// Tells the observer that a listener is up.
    pub(crate) fn listening(&self, address: impl Into<ListenAddress>) {
        self.observer().listening(&address.into());
    }

    /// Asks whether the guest may connect to this address.
    pub(crate) fn connect(&self, address: SocketAddr) -> Option<Granted<Connect<SocketAddr>>> {
        self.allows(Use::Connect, address)
            .then(|| Granted::new(Connect(address)))
    }

    /// Asks whether the guest may bind so. Sharing a port that another process may
    /// have needs a rule of its own.
    pub(crate) fn bind(&self, bind: BindTcp) -> Option<Granted<BindTcp>> {
        let joins = bind.reuse_port && bind.owner == PortOwner::AnyProcess;
        let allowed = self.allows(Use::Bind, bind.policy_address)
            && (!joins || self.allows(Use::Share, bind.policy_address));
        allowed.then(|| Granted::new(bind))
    }

    /// Asks whether the guest may listen on this address, which is that of its bind
    /// as the policy sees it. A socket that is not bound is bound by listening, so
    /// both are asked for.
    pub(crate) fn listen(
        &self,
        policy_address: SocketAddr,
        is_bound: bool,
    ) -> Option<Granted<ListenTcp>> {
        let allowed = (is_bound || self.allows(Use::Bind, policy_address))
            && self.allows(Use::Listen, policy_address);
        allowed.then(|| Granted::new(ListenTcp(policy_address)))
    }

    /// Asks whether the guest may connect to the Unix socket of this name.
    pub(crate) fn connect_unix(&self, name: UnixName) -> Option<Granted<Connect<UnixName>>> {
        let allowed = match self.policy.current().decide_unix_connect(&name) {
            Decision::Allow => true,
            Decision::Deny(reason) => self.refuse(Request::ConnectUnix(name.clone()), reason),
        };
        allowed.then(|| Granted::new(Connect(name)))
    }

    /// Asks whether the guest may bind to this name and listen there. The rule that
    /// allows it says the mode of the socket's file.
    pub(crate) fn bind_unix(&self, name: UnixName) -> Option<Granted<BindUnix>> {
        let mode = match self.policy.current().decide_unix_listen(&name) {
            Ok(mode) => mode,
            Err(reason) => self
                .refuse(Request::ListenUnix(name.clone()), reason)
                .then_some(DEFAULT_MODE)?,
        };
        Some(Granted::new(BindUnix { name, mode }))
    }

    /// Counts the file of a Unix socket that the guest is to make. Returns false if it has left
    /// as many as it may: files stay when the guest asks for it, or when the process is killed.
    pub(crate) fn unix_file(&self, name: &UnixName) -> bool {
        let (limit, mut files) = (self.limits.unix_files, lock(&self.unix_files));
        if name.as_path().is_none() || files.contains(name) {
            return true;
        }
        if files.len() >= limit {
            files.retain(|made| {
                let path = made.as_path();
                path.is_some_and(|path| path.symlink_metadata().is_ok())
            });
        }
        if files.len() < limit {
            files.insert(name.clone());
            return true;
        }
        drop(files);
        self.unix_denied(UnixUse::Listen, name, DenyReason::UnixFileLimit(limit));
        false
    }

    /// Asks for the next listener of this name that the operator has given the guest.
    pub(crate) fn inherited(
        &self,
        listeners: &InheritedListeners,
        name: &str,
    ) -> Result<Granted<InheritedListener>, TakeError> {
        match listeners.next(name) {
            Ok(listener) => Ok(Granted::new(listener.clone())),
            Err(error) => {
                if error == TakeError::Unknown {
                    self.not_granted(Request::Listener(name.to_owned()));
                }
                Err(error)
            }
        }
    }

    fn allows(&self, usage: Use, address: SocketAddr) -> bool {
        let decision = {
            let mut grants = lock(&self.grants);
            let now = Instant::now();
            if usage == Use::Connect {
                grants.set_local(self.interfaces.networks(now));
            }
            let policy = self.policy.current();
            policy.decide(usage, address, &grants, now)
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
        self.refuse(request, reason)
    }

    /// Denies what the policy denies, and returns false. In a dry run it only tells the
    /// observer, and returns true.
    fn refuse(&self, request: Request, reason: DenyReason) -> bool {
        if !self.dry_run {
            self.deny(request, reason);
            return false;
        }
        self.stats().denied(reason.label());
        let denial = Denial { request, reason };
        let rule = match &denial.request {
            // By the name that the guest has looked up, which is what an operator would write.
            Request::Connect(address) => {
                let rule = lock(&self.grants).narrowest_rule(*address, Instant::now());
                Some(PolicyRule::Connect(Rule::Tcp(rule)))
            }
            _ => denial.allowing_rule(),
        };
        self.observer().would_deny(&denial, rule.as_ref());
        true
    }

    /// Reports that the guest does not get the Unix socket of this name, for a reason
    /// found at its path after the policy had allowed it.
    pub(crate) fn unix_denied(&self, usage: UnixUse, name: &UnixName, reason: DenyReason) {
        let name = name.clone();
        let request = match usage {
            UnixUse::Connect => Request::ConnectUnix(name),
            UnixUse::Listen => Request::ListenUnix(name),
        };
        self.deny(request, reason);
    }

    /// Reports a request that the policy allowed and the operating system does not permit.
    pub(crate) fn system_denied(&self, request: Request) {
        self.deny(request, DenyReason::Permission);
    }

    /// Reports that the guest does not get this because the operator has not granted
    /// it.
    pub(crate) fn not_granted(&self, request: Request) {
        self.deny(request, DenyReason::NotGranted);
    }

    /// Tells the observer of the first TLS session whose server the guest does not
    /// check.
    pub(crate) fn unverified(&self) {
        if !self.unverified.swap(true, Ordering::Relaxed) {
            self.observer().unverified();
        }
    }

    fn deny(&self, request: Request, reason: DenyReason) {
        self.reporter.deny(request, reason);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;

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

    /// A bind as the guest has written it.
    fn explicit(text: &str, reuse_port: bool) -> BindTcp {
        BindTcp {
            address: address(text),
            policy_address: address(text),
            owner: PortOwner::AnyProcess,
            reuse_port,
        }
    }

    #[test]
    fn files_of_unix_sockets_that_a_guest_leaves_are_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let path = |number: usize| folder.path().join(number.to_string());
        let name = |number| UnixName::path(path(number).as_os_str().as_encoded_bytes()).unwrap();
        let limits = Limits {
            unix_files: 3,
            ..Limits::default()
        };
        let lines = Lines::default();
        let observer = Box::new(lines.clone());
        let guard = AccessGuard::new(Policy::new(), limits, Stats::new(), observer);
        for number in 0..3 {
            assert!(guard.unix_file(&name(number)));
            std::fs::write(path(number), "").unwrap();
        }
        assert!(!guard.unix_file(&name(3)));
        assert!(guard.unix_file(&name(0)), "it is there already");
        assert!(guard.unix_file(&UnixName::abstract_name(b"a").unwrap()));
        std::fs::remove_file(path(1)).unwrap();
        assert!(guard.unix_file(&name(3)));
        assert_eq!(lock(&lines.0).len(), 1);
    }

    #[test]
    fn memory_beyond_the_limit_is_refused_and_reported() {
        let limits = Limits {
            memory: 2048,
            ..Limits::default()
        };
        let lines = Lines::default();
        let observer = Box::new(lines.clone());
        let guard = AccessGuard::new(Policy::new(), limits, Stats::new(), observer);
        let mut charge = guard.charge(1024).unwrap();
        assert!(guard.charge(2048).is_none());
        assert!(!guard.recharge(&mut charge, 4096));
        let line = "denied: have 3 KiB of memory: the limit of memory is 2 KiB";
        assert_eq!(lock(&lines.0).first().map(String::as_str), Some(line));
    }

    #[test]
    fn a_connect_without_a_rule_is_denied_and_reported() {
        let (guard, lines) = guard(&["tcp://127.0.0.1:80"], &[], 1);
        assert!(guard.connect(address("127.0.0.1:80")).is_some());
        assert!(guard.connect(address("127.0.0.1:81")).is_none());
        assert_eq!(lock(&lines.0).len(), 1);
    }

    #[test]
    fn an_explicit_bind_needs_a_listen_rule() {
        let (guard, lines) = guard(&["tcp://127.0.0.1:80"], &[], 1);
        assert!(guard.bind(explicit("127.0.0.1:80", false)).is_none());
        let line = lock(&lines.0).first().cloned().unwrap_or_default();
        assert!(line.contains("denied: bind to 127.0.0.1:80: "), "{line}");
    }

    #[test]
    fn a_port_that_any_process_may_have_is_shared_by_a_rule_for_this_very_port() {
        let (guard, lines) = guard(&[], &["tcp://127.0.0.1:8000-8999"], 1);
        assert!(guard.bind(explicit("127.0.0.1:8080", false)).is_some());
        assert!(guard.bind(explicit("127.0.0.1:8080", true)).is_none());
        let ours = BindTcp {
            owner: PortOwner::ThisGuest,
            ..explicit("127.0.0.1:8080", true)
        };
        assert!(guard.bind(ours).is_some());
        assert_eq!(lock(&lines.0).len(), 1);
    }

    #[test]
    fn listening_without_a_bind_needs_a_rule_that_covers_the_bind_too() {
        let (guard, _) = guard(&[], &["tcp://127.0.0.1:0"], 1);
        assert!(guard.listen(address("127.0.0.1:0"), true).is_some());
        assert!(guard.listen(address("0.0.0.0:0"), false).is_none());
    }

    #[test]
    fn a_proof_holds_what_was_allowed() {
        let (guard, _) = guard(&["tcp://127.0.0.1:80"], &[], 1);
        let granted = guard.connect(address("127.0.0.1:80")).unwrap();
        assert_eq!(granted.get().0, address("127.0.0.1:80"));
        assert_eq!(guard.stats().snapshot().denied_total, 0);
    }

    #[test]
    fn a_listener_that_no_operator_has_given_is_denied() {
        let (guard, lines) = guard(&[], &[], 1);
        let listeners = InheritedListeners::default();
        let error = guard.inherited(&listeners, "web").unwrap_err();
        assert_eq!(error, TakeError::Unknown);
        assert_eq!(lock(&lines.0).len(), 1);
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
            assert!(guard.connect(address("127.0.0.1:80")).is_none());
        }
        assert_eq!(lock(&lines.0).len(), 1);
        assert_eq!(guard.stats().snapshot().denied_total, 1000);
    }

    #[test]
    fn a_unix_socket_is_had_by_a_rule_and_denied_with_a_report() {
        let (guard, lines) = guard(&["unix:///run/a"], &["unix:///run/b?mode=0660"], 1);
        let [a, b] = [b"/run/a", b"/run/b"].map(|path| UnixName::path(path).unwrap());
        assert!(guard.connect_unix(a.clone()).is_some());
        assert_eq!(guard.bind_unix(b.clone()).unwrap().get().mode, 0o660);
        assert!(guard.connect_unix(b.clone()).is_none());
        assert!(guard.bind_unix(a.clone()).is_none());
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
        assert_eq!(guard.stats().snapshot().denied_total, 3);
    }

    #[test]
    fn a_request_that_is_not_granted_is_reported_and_counted() {
        let (guard, lines) = guard(&[], &[], 1);
        guard.not_granted(Request::TlsRoots);
        guard.not_granted(Request::TlsRoots);
        let line = lock(&lines.0).concat();
        assert!(
            line.ends_with("trust TLS roots of its own: it is not granted"),
            "{line}"
        );
        assert_eq!(guard.stats().snapshot().denied_total, 2);
    }

    #[test]
    fn of_the_sessions_with_an_unchecked_server_the_first_is_reported() {
        let (guard, lines) = guard(&[], &[], 1);
        guard.unverified();
        guard.unverified();
        assert_eq!(*lock(&lines.0), ["unverified"]);
        assert_eq!(guard.stats().snapshot().denied_total, 0);
    }

    #[test]
    fn a_look_up_grants_connecting_to_what_it_gave() {
        let (guard, _) = guard(&["tcp://a.example:80"], &[], 1);
        let name = "a.example".parse().unwrap();
        assert!(guard.lookup(&name));
        assert!(guard.connect(address("1.1.1.1:80")).is_none());
        guard.resolved(&name, &["1.1.1.1".parse().unwrap()]);
        assert!(guard.connect(address("1.1.1.1:80")).is_some());
    }
}

/// Proofs for the tests of sockets, by the rules that those need.
#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use crate::access::TracingObserver;
    use crate::policy::Policy;

    /// A guard without rules, of a guest that may have so much memory.
    pub(crate) fn guard(memory: usize) -> AccessGuard {
        let limits = Limits {
            memory,
            ..Limits::default()
        };
        AccessGuard::new(
            Policy::new(),
            limits,
            Stats::new(),
            Box::new(TracingObserver),
        )
    }

    fn with_rules(connect: Option<String>, listen: Option<String>) -> AccessGuard {
        let mut policy = Policy::new();
        if let Some(rule) = connect {
            policy.allow_connect(rule.parse().unwrap());
        }
        if let Some(rule) = listen {
            policy.allow_listen(rule.parse().unwrap());
        }
        let observer = Box::new(TracingObserver);
        AccessGuard::new(policy, Limits::default(), Stats::new(), observer)
    }

    pub(crate) fn connect(address: SocketAddr) -> Granted<Connect<SocketAddr>> {
        let guard = with_rules(Some(format!("tcp://{address}")), None);
        guard.connect(address).unwrap()
    }

    pub(crate) fn bind(
        address: SocketAddr,
        owner: PortOwner,
        reuse_port: bool,
    ) -> Granted<BindTcp> {
        let bind = BindTcp {
            address,
            policy_address: address,
            owner,
            reuse_port,
        };
        let guard = with_rules(None, Some(format!("tcp://{address}")));
        guard.bind(bind).unwrap()
    }

    pub(crate) fn listen(address: SocketAddr) -> Granted<ListenTcp> {
        let guard = with_rules(None, Some(format!("tcp://{address}")));
        guard.listen(address, true).unwrap()
    }

    pub(crate) fn connect_unix(name: &UnixName) -> Granted<Connect<UnixName>> {
        let guard = with_rules(Some(name.to_string()), None);
        guard.connect_unix(name.clone()).unwrap()
    }

    pub(crate) fn bind_unix(name: &UnixName, mode: u32) -> Granted<BindUnix> {
        let rule = match name.as_path() {
            Some(_) => format!("{name}?mode={mode:04o}"),
            None => name.to_string(),
        };
        with_rules(None, Some(rule))
            .bind_unix(name.clone())
            .unwrap()
    }

    pub(crate) fn inherited(listener: InheritedListener) -> Granted<InheritedListener> {
        let mut listeners = InheritedListeners::default();
        listeners.add("test".to_owned(), listener);
        with_rules(None, None)
            .inherited(&listeners, "test")
            .unwrap()
    }

    pub(crate) fn permit() -> SocketPermit {
        with_rules(None, None).permit().unwrap()
    }
}
