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
use crate::policy::Policy;
use crate::sockets::{SharedListeners, Sharing, StopHandle};
use crate::tls::Tls;

/// Names looked up at the same time; further look-ups of the guest wait.
const LOOKUPS: usize = 16;

/// The sockets of one guest: what it may do, and what it does.
///
/// Lives in the store's data beside a [`WasiCtx`] and a [`ResourceTable`];
/// [`StreamsView`] says where.
pub struct StreamsCtx {
    pub(crate) guard: Arc<AccessGuard>,
    /// The stock sockets, which deny.
    pub(crate) udp: WasiSocketsCtx,
    pub(crate) stats: Stats,
    pub(crate) stop: StopHandle,
    pub(crate) sharing: Option<Sharing>,
    pub(crate) lookups: Arc<Semaphore>,
    pub(crate) tls: Tls,
    pub(crate) inherited: InheritedListeners,
    limits: Limits,
    limiter: Limiter,
    /// By their index in the table.
    bound: HashMap<u32, BoundAddress>,
}

/// A socket that was bound.
#[derive(Debug, Clone, Copy)]
struct BoundAddress {
    /// The address asked for, as the policy sees it.
    requested: SocketAddr,
    /// The port that the system picked, where port 0 was asked for.
    picked: Option<u16>,
}

/// Makes a [`StreamsCtx`].
pub struct StreamsCtxBuilder {
    policy: Policy,
    limits: Limits,
    observer: Box<dyn Observer>,
    sharing: Option<Sharing>,
    tls: Tls,
    inherited: InheritedListeners,
}

/// Gives access to a [`StreamsCtx`] and to the resource table it shares with the rest
/// of WASI. Implemented by the data of a store.
pub trait StreamsView: Send + 'static {
    /// The context, and the table.
    fn streams(&mut self) -> StreamsCtxView<'_>;
}

/// What [`StreamsView`] gives access to.
pub struct StreamsCtxView<'a> {
    /// The sockets of the guest.
    pub ctx: &'a mut StreamsCtx,
    /// Where their resources lie.
    pub table: &'a mut ResourceTable,
}

impl StreamsCtx {
    /// A builder, which without further calls allows nothing.
    #[must_use]
    pub fn builder() -> StreamsCtxBuilder {
        StreamsCtxBuilder::new()
    }

    /// What the guest uses, to be read while it runs.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.stats.clone()
    }

    /// Asks the guest to stop.
    #[must_use]
    pub fn stop_handle(&self) -> StopHandle {
        self.stop.clone()
    }

    /// The limits it was built with.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// To be given to [`Store::limiter`]; [`apply_limits`] does.
    pub fn limiter(&mut self) -> &mut dyn ResourceLimiter {
        &mut self.limiter
    }

    /// The address that a bind asks for, as the policy sees it: a port that the
    /// system has picked for a living socket of this guest counts as port 0, so
    /// that a server can have the same free port on several addresses.
    pub(crate) fn policy_address(&self, mut address: SocketAddr) -> SocketAddr {
        let picked = |bound: &BoundAddress| bound.picked == Some(address.port());
        if self.bound.values().any(picked) {
            address.set_port(0);
        }
        address
    }

    /// The sockets that were bound, by their permits in the table.
    pub(crate) fn bound(&self) -> impl Iterator<Item = u32> {
        self.bound.keys().copied()
    }

    /// A socket was bound as `requested`, and got `port`.
    pub(crate) fn socket_bound(&mut self, rep: u32, requested: SocketAddr, port: Option<u16>) {
        let bound = BoundAddress {
            requested,
            picked: port.filter(|_| requested.port() == 0),
        };
        self.bound.insert(rep, bound);
    }

    /// The address that the socket asked to be bound to, if it was bound.
    pub(crate) fn requested_address(&self, rep: u32) -> Option<SocketAddr> {
        self.bound.get(&rep).map(|bound| bound.requested)
    }

    pub(crate) fn socket_dropped(&mut self, rep: u32) {
        self.bound.remove(&rep);
    }
}

impl StreamsCtxBuilder {
    /// Nothing allowed, default limits, denials and listeners reported to
    /// `tracing`.
    #[must_use]
    pub fn new() -> Self {
        Self {
            policy: Policy::new(),
            limits: Limits::default(),
            observer: Box::new(TracingObserver),
            sharing: None,
            tls: Tls::default(),
            inherited: InheritedListeners::default(),
        }
    }

    /// Which addresses and names the guest may use.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// How much the guest may take.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Who is told of denials and listeners.
    #[must_use]
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observer = Box::new(observer);
        self
    }

    /// With whom the guest has listening sockets in common; unless set, with nobody.
    #[must_use]
    pub fn shared_listeners(mut self, listeners: &SharedListeners) -> Self {
        self.sharing = Some(listeners.join());
        self
    }

    /// Hands the guest a listening socket, which it takes by this name; no rule has
    /// to permit it. Several may have one name: they are taken in turn.
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

    /// What the guest may have of TLS; unless set, clients that check their servers
    /// with the usual public roots.
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = tls;
        self
    }

    /// The context, for one store.
    #[must_use]
    pub fn build(self) -> StreamsCtx {
        let stats = Stats::new();
        let served = self.sharing.as_ref().map(Sharing::served);
        let served = served.unwrap_or_default();
        let guard = Arc::new(AccessGuard::new(
            self.policy,
            self.limits,
            stats.clone(),
            self.observer,
        ));
        StreamsCtx {
            udp: WasiCtx::builder().build().sockets().clone(),
            limiter: Limiter::new(self.limits, Arc::clone(&guard)),
            guard,
            stats,
            stop: StopHandle::new(served),
            sharing: self.sharing,
            limits: self.limits,
            lookups: Arc::new(Semaphore::new(LOOKUPS)),
            tls: self.tls.for_guest(),
            inherited: self.inherited,
            bound: HashMap::new(),
        }
    }
}

impl Default for StreamsCtxBuilder {
    fn default() -> Self {
        Self::new()
    }
}

/// Applies the limits of the [`StreamsCtx`] to the store and to its tables.
pub fn apply_limits<T: StreamsView>(store: &mut Store<T>) {
    let StreamsCtxView { ctx, table } = store.data_mut().streams();
    let limits = ctx.limits;
    table.set_max_capacity(limits.resources);
    store.limiter(|data| data.streams().ctx.limiter());
    store.set_max_component_handles(limits.handles);
    if let Some(table) = store.concurrent_resource_table() {
        table.set_max_capacity(limits.concurrent);
    }
}
