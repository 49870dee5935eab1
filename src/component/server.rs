//! The exports of `asyncio:streams/server`.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::pin::pin;
use std::rc::Rc;

use futures::future::{Either, select};

use super::Component;
use super::canceller::Canceller;
use super::convert::duration;
use super::ssl::SslContext;
use super::streams::{Pair, pair};
use super::wit::server::{
    Guest, GuestServer, GuestServerOptions, Server as ServerHandle,
    ServerOptions as ServerOptionsHandle,
};
use super::wit::ssl::SslContextBorrow;
use super::wit::streams::CancellerBorrow;
use super::wit::types as wit;
use crate::error::{ListenError, ServerError};
use crate::hosts::Hosts;
use crate::runtime::executor;
use crate::runtime::waiters::Waiters;
use crate::server::{Server, ServerFailure, ServerOptions};

/// The options of a server, which the application sets one by one.
#[derive(Default)]
pub(super) struct Options(RefCell<ServerOptions>, RefCell<Canceller>);

impl Options {
    pub(super) fn take(options: Option<ServerOptionsHandle>) -> (ServerOptions, Canceller) {
        let options: Options = options
            .map(|options| options.into_inner())
            .unwrap_or_default();
        (options.0.into_inner(), options.1.into_inner())
    }

    fn set(&self, set: impl FnOnce(&mut ServerOptions)) {
        set(&mut self.0.borrow_mut());
    }
}

/// A server, and its failures.
pub(super) struct Watched {
    server: Server,
    failures: Rc<Failures>,
}

/// The latest failures, until the application asks for them (`server.next-failure`).
#[derive(Default)]
struct Failures {
    kept: RefCell<VecDeque<wit::ServerFailure>>,
    asking: Waiters,
}

/// The number of failures that are kept; older ones are dropped.
const KEPT: usize = 16;

impl Failures {
    fn keep(&self, failure: &ServerFailure) {
        let failure = match failure {
            ServerFailure::Accept(code) => wit::ServerFailure::Accept(code.clone().into()),
            ServerFailure::Handshake { peer, error } => {
                wit::ServerFailure::Handshake(wit::HandshakeFailure {
                    peer: peer.clone().map(Into::into),
                    error: error.clone().into(),
                })
            }
            // Callbacks run in the application, which knows of their failures.
            ServerFailure::Callback { .. } => return,
        };
        {
            let mut kept = self.kept.borrow_mut();
            if kept.len() == KEPT {
                kept.pop_front();
            }
            kept.push_back(failure);
        }
        self.asking.wake_all();
    }
}

impl Watched {
    /// Starts a server by `start`, with options that keep its failures.
    pub(super) async fn start(
        (options, canceller): (ServerOptions, Canceller),
        start: impl AsyncFnOnce(ServerOptions) -> Result<Server, ListenError>,
    ) -> Result<ServerHandle, wit::ListenError> {
        let failures = Rc::new(Failures::default());
        let keeping = failures.clone();
        let options = options.on_failure(move |failure| keeping.keep(failure));
        let starting = async { Ok(start(options).await?) };
        let server = canceller
            .watch(starting, || wit::ListenError::Closed)
            .await?;
        Ok(ServerHandle::new(Watched { server, failures }))
    }

    async fn failure(&self) -> Result<wit::ServerFailure, ServerError> {
        let next = || self.failures.kept.borrow_mut().pop_front();
        let failure = pin!(self.failures.asking.wait_until(next));
        let closed = pin!(self.server.until_closed());
        match select(failure, closed).await {
            Either::Left((failure, _)) => Ok(failure),
            Either::Right(_) => Err(ServerError::Closed),
        }
    }
}

impl Guest for Component {
    type ServerOptions = Options;
    type Server = Watched;

    async fn start_server(
        hosts: Option<Vec<String>>,
        port: wit::Port,
        options: Option<ServerOptionsHandle>,
    ) -> Result<ServerHandle, wit::ListenError> {
        executor::export(Watched::start(Options::take(options), async |options| {
            options.bind(Hosts::from_list(hosts), port.into()).await
        }))
        .await
    }

    async fn start_unix_server(
        address: wit::UnixAddress,
        options: Option<ServerOptionsHandle>,
    ) -> Result<ServerHandle, wit::ListenError> {
        executor::export(Watched::start(Options::take(options), async |options| {
            options.bind_unix(address.into())
        }))
        .await
    }
}

impl GuestServerOptions for Options {
    fn new() -> Options {
        Options::default()
    }

    fn set_limit(&self, limit: u64) {
        self.set(|options| options.limit = Some(limit));
    }

    fn set_family(&self, family: wit::IpAddressFamily) {
        self.set(|options| options.family = Some(family.into()));
    }

    fn set_flags(&self, value: wit::LookupFlags) {
        self.set(|options| options.flags = value.into());
    }

    fn set_canceller(&self, canceller: CancellerBorrow<'_>) {
        *self.1.borrow_mut() = canceller.get::<Canceller>().clone();
    }

    fn set_backlog(&self, backlog: u32) {
        self.set(|options| options.backlog = backlog);
    }

    fn set_reuse_address(&self, reuse: bool) {
        self.set(|options| options.reuse.set_address(reuse));
    }

    fn set_reuse_port(&self, reuse: bool) {
        self.set(|options| options.reuse.set_port(reuse));
    }

    fn set_keep_alive(&self, keep_alive: bool) {
        self.set(|options| options.keep_alive = keep_alive);
    }

    fn set_start_serving(&self, start_serving: bool) {
        self.set(|options| options.start_serving = start_serving);
    }

    fn set_ssl(&self, context: SslContextBorrow<'_>) {
        let context = context.get::<SslContext>().current();
        self.set(|options| options.tls.set_context(context));
    }

    fn set_ssl_handshake_timeout(&self, timeout: u64) {
        self.set(|options| options.tls.handshake_timeout = Some(duration(timeout)));
    }

    fn set_ssl_shutdown_timeout(&self, timeout: u64) {
        self.set(|options| options.tls.shutdown_timeout = Some(duration(timeout)));
    }

    fn set_max_ssl_handshakes(&self, count: u32) {
        self.set(|options| options.max_handshakes = Some(count));
    }

    fn set_idle_timeout(&self, timeout: u64) {
        self.set(|options| options.times.idle = Some(duration(timeout)));
    }

    fn set_connection_timeout(&self, timeout: u64) {
        self.set(|options| options.times.total = Some(duration(timeout)));
    }

    fn set_cleanup_socket(&self, cleanup: bool) {
        self.set(|options| options.cleanup_socket = cleanup);
    }
}

impl GuestServer for Watched {
    fn sockets(&self) -> Vec<wit::SocketAddress> {
        let sockets = self.server.sockets();
        sockets.into_iter().map(Into::into).collect()
    }

    fn is_serving(&self) -> bool {
        self.server.is_serving()
    }

    async fn start_serving(&self) -> Result<(), wit::ListenError> {
        executor::export(async { Ok(self.server.start_serving().await?) }).await
    }

    async fn serve_forever(&self) -> Result<(), wit::ServerError> {
        executor::export(async { Ok(self.server.serve_forever().await?) }).await
    }

    async fn accept(&self) -> Result<Pair, wit::ServerError> {
        executor::export(async { Ok(pair(self.server.accept().await?)) }).await
    }

    async fn ready(&self) -> Result<(), wit::ServerError> {
        executor::export(async { Ok(self.server.acceptable().await?) }).await
    }

    fn accept_nowait(&self) -> Result<Option<Pair>, wit::ServerError> {
        Ok(self.server.accept_now()?.map(pair))
    }

    fn close(&self) {
        self.server.close();
    }

    fn close_clients(&self) {
        self.server.close_clients();
    }

    fn abort_clients(&self) {
        self.server.abort_clients();
    }

    async fn wait_closed(&self) {
        executor::export(self.server.wait_closed()).await;
    }

    async fn next_failure(&self) -> Result<wit::ServerFailure, wit::ServerError> {
        executor::export(async { Ok(self.failure().await?) }).await
    }
}
