use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::Semaphore;
use wasmtime::component::ResourceTable;
use wasmtime::{ResourceLimiter, Store};
use wasmtime_wasi::WasiCtx;
use wasmtime_wasi::sockets::WasiSocketsCtx;

use crate::access::{
    AccessGuard, InheritedListener, InheritedListeners, Limiter, Limits, Observer, Stats,
    TracingObserver,
};
use crate::epochs::{Epochs, yield_each_slice};
use crate::policy::SharedPolicy;
use crate::quota::Quotas;
use crate::sockets::{GuestSharing, SharedListeners, StopHandle};
use crate::tls::Tls;

/// Names that a guest looks up at the same time; further look-ups wait.
const LOOKUPS: usize = 16;

/// The context of one guest: its permissions, its limits and its figures.
///
/// It lives in the store's data beside a [`WasiCtx`] and a [`ResourceTable`];
/// [`StreamsView`] gives access to it.
pub struct StreamsCtx {
    pub(crate) guard: Arc<AccessGuard>,
    /// wasmtime-wasi's sockets, which deny UDP.
    pub(crate) udp: WasiSocketsCtx,
    pub(crate) stats: Stats,
    pub(crate) stop: StopHandle,
    pub(crate) sharing: Option<GuestSharing>,
    pub(crate) lookups: Arc<Semaphore>,
    pub(crate) search_domains: bool,
    pub(crate) tls: Tls,
    /// TLS contexts in the guest's table.
    pub(crate) tls_contexts: usize,
    pub(crate) inherited: InheritedListeners,
    limits: Limits,
    limiter: Limiter,
    /// The addresses of bound TCP sockets, by their index in the table.
    bound: HashMap<u32, BoundAddress>,
    /// Interrupts the guest while it computes, if no runner does.
    epochs: Option<Epochs>,
}

/// The address that a socket was bound to.
#[derive(Debug, Clone, Copy)]
struct BoundAddress {
    /// The address that the guest asked for, as the policy sees it.
    requested: SocketAddr,
    /// The port that the kernel picked, if the guest asked for port 0.
    picked: Option<u16>,
}

/// Makes a [`StreamsCtx`].
pub struct StreamsCtxBuilder {
    policy: SharedPolicy,
    limits: Limits,
    quotas: Quotas,
    dry_run: bool,
    search_domains: bool,
    observer: Box<dyn Observer>,
    sharing: Option<GuestSharing>,
    tls: Tls,
    inherited: InheritedListeners,
}

/// Gives access to a [`StreamsCtx`] and to the resource table that it shares with the
/// rest of WASI. The data of a store implements it.
pub trait StreamsView: Send + 'static {
    /// Returns the context and the table.
    fn streams(&mut self) -> StreamsCtxView<'_>;
}

/// A [`StreamsCtx`] with its resource table: see [`StreamsView`].
pub struct StreamsCtxView<'a> {
    /// The context of the guest.
    pub ctx: &'a mut StreamsCtx,
    /// The table of the guest's resources.
    pub table: &'a mut ResourceTable,
}

impl StreamsCtx {
    /// Returns a builder; without further calls, the guest may do nothing.
    #[must_use]
    pub fn builder() -> StreamsCtxBuilder {
        StreamsCtxBuilder::new()
    }

    /// Returns the guest's figures, which can be read while it runs.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.stats.clone()
    }

    /// Returns a handle that asks the guest to stop.
    #[must_use]
    pub fn stop_handle(&self) -> StopHandle {
        self.stop.clone()
    }

    /// Returns the limits that the context was built with. Those of handles, tasks and
    /// resources may be lower than asked for, so that their tables fit the memory.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Returns the limiter for [`Store::limiter`]; [`apply_limits`] sets it.
    pub fn limiter(&mut self) -> &mut dyn ResourceLimiter {
        &mut self.limiter
    }

    /// Returns the address of a bind as the policy sees it. A port that the kernel has
    /// picked for an open socket of this guest counts as port 0, so that a server can
    /// have the same free port on several addresses.
    pub(crate) fn policy_address(&self, mut address: SocketAddr) -> SocketAddr {
        let picked = |bound: &BoundAddress| bound.picked == Some(address.port());
        if self.bound.values().any(picked) {
            address.set_port(0);
        }
        address
    }

    /// Returns the table indices of the sockets that were bound.
    pub(crate) fn bound(&self) -> impl Iterator<Item = u32> {
        self.bound.keys().copied()
    }

    /// Notes that a socket was bound as `requested` and got `port`.
    pub(crate) fn socket_bound(&mut self, rep: u32, requested: SocketAddr, port: Option<u16>) {
        let bound = BoundAddress {
            requested,
            picked: port.filter(|_| requested.port() == 0),
        };
        self.bound.insert(rep, bound);
    }

    /// Returns the address that the guest asked for when it bound the socket.
    pub(crate) fn requested_address(&self, rep: u32) -> Option<SocketAddr> {
        self.bound.get(&rep).map(|bound| bound.requested)
    }

    pub(crate) fn socket_dropped(&mut self, rep: u32) {
        self.bound.remove(&rep);
    }
}

impl StreamsCtxBuilder {
    /// Returns a builder that allows nothing, has the default limits, and reports
    /// denials and listeners to `tracing`.
    #[must_use]
    pub fn new() -> Self {
        Self {
            policy: SharedPolicy::default(),
            limits: Limits::default(),
            quotas: Quotas::default(),
            dry_run: false,
            search_domains: false,
            observer: Box::new(TracingObserver),
            sharing: None,
            tls: Tls::default(),
            inherited: InheritedListeners::default(),
        }
    }

    /// Sets the rules for addresses and names. With a [`SharedPolicy`] they can be replaced
    /// while the guest runs.
    #[must_use]
    pub fn policy(mut self, policy: impl Into<SharedPolicy>) -> Self {
        self.policy = policy.into();
        self
    }

    /// Sets the quotas. By default there are none.
    #[must_use]
    pub fn quotas(mut self, quotas: Quotas) -> Self {
        self.quotas = quotas;
        self
    }

    /// Sets whether requests that the policy denies are allowed, and only told to
    /// [`Observer::would_deny`]. So one learns the rules that a program needs. Limits and
    /// quotas hold, and so do the permissions of TLS.
    #[must_use]
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    /// Sets whether the search domains of the system's resolver are added to names, as to
    /// `redis` in a cluster. By default a name is looked up exactly as the guest gives it:
    /// with search domains, a rule for a name would cover other names, too.
    #[must_use]
    pub fn search_domains(mut self, search: bool) -> Self {
        self.search_domains = search;
        self
    }

    /// Sets the limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the observer of denials and listeners.
    #[must_use]
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observer = Box::new(observer);
        self
    }

    /// Shares listening sockets with the other guests that have the same
    /// [`SharedListeners`].
    #[must_use]
    pub fn shared_listeners(mut self, listeners: &SharedListeners) -> Self {
        self.sharing = Some(listeners.join());
        self
    }

    /// Gives the guest a listening socket, which it takes by this name. It needs no
    /// rule. Several sockets may have one name: the guest takes them in turn.
    ///
    /// ```
    /// # use asyncio_streams_host::StreamsCtx;
    /// # fn main() -> std::io::Result<()> {
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let ctx = StreamsCtx::builder().listener("web", listener).build();
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn listener(
        mut self,
        name: impl Into<String>,
        listener: impl Into<InheritedListener>,
    ) -> Self {
        self.inherited.add(name.into(), listener.into());
        self
    }

    /// Sets the identities, roots and permissions of TLS. By default the guest may be a
    /// client that checks servers against the usual public roots.
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = tls;
        self
    }

    /// Builds the context, for one store.
    #[must_use]
    pub fn build(self) -> StreamsCtx {
        let stats = Stats::new();
        let limits = self.limits.fitted();
        let served = self.sharing.as_ref().map(GuestSharing::served);
        let served = served.unwrap_or_default();
        let guard = AccessGuard::new(self.policy, limits, stats.clone(), self.observer)
            .quotas(&self.quotas)
            .dry_run(self.dry_run);
        let guard = Arc::new(guard);
        StreamsCtx {
            udp: WasiCtx::builder().build().sockets().clone(),
            limiter: Limiter::new(limits, Arc::clone(&guard)),
            guard,
            stats,
            stop: StopHandle::new(served),
            sharing: self.sharing,
            limits,
            lookups: Arc::new(Semaphore::new(LOOKUPS)),
            search_domains: self.search_domains,
            tls: self.tls.for_guest(),
            tls_contexts: 0,
            inherited: self.inherited,
            bound: HashMap::new(),
            epochs: None,
        }
    }
}

impl Default for StreamsCtxBuilder {
    fn default() -> Self {
        Self::new()
    }
}

/// Applies the limits of the [`StreamsCtx`] to the store, to its tables, and to the bytes that
/// one call of the guest may have the host copy; and has the guest give way every 2 ms while it
/// computes.
///
/// The guest gives way by an engine with [`config`](crate::config). There, a guest whose store
/// has not passed this function traps at once. To limit the time of a call, drop its future:
/// `tokio::time::timeout` around `run_concurrent` ends any guest.
pub fn apply_limits<T: StreamsView>(store: &mut Store<T>) {
    limit_resources(store);
    match Epochs::silent(store.engine()) {
        Ok(epochs) => {
            yield_each_slice(store);
            store.data_mut().streams().ctx.epochs = Some(epochs);
        }
        // Nothing could interrupt the guest, so that its store stays as it is: it traps.
        Err(error) => tracing::error!("guests cannot run: no thread measures time: {error}"),
    }
}

/// Applies the limits of resources.
pub(crate) fn limit_resources<T: StreamsView>(store: &mut Store<T>) {
    let StreamsCtxView { ctx, table } = store.data_mut().streams();
    let limits = ctx.limits;
    table.set_max_capacity(limits.resources);
    store.limiter(|data| data.streams().ctx.limiter());
    store.set_max_component_handles(limits.handles);
    store.set_hostcall_fuel(limits.bytes_of_a_call());
    if let Some(table) = store.concurrent_resource_table() {
        table.set_max_capacity(limits.concurrent);
    }
}
