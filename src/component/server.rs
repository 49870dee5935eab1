//! `asyncio:streams/server`.

use std::cell::RefCell;

use super::Component;
use super::streams::{NO_UNIX, Pair, pair};
use super::wit::server::{
    Guest, GuestServer, GuestServerOptions, Server as ServerHandle,
    ServerOptions as ServerOptionsHandle,
};
use super::wit::ssl::SslContextBorrow;
use super::wit::types as wit;
use crate::runtime::executor;
use crate::server::{Hosts, Server, ServerOptions};

/// The options of a server, while the application sets them.
#[derive(Default)]
pub(super) struct Options(RefCell<ServerOptions>);

impl Options {
    pub(super) fn take(options: Option<ServerOptionsHandle>) -> ServerOptions {
        options
            .map(|options| options.into_inner::<Options>().0.into_inner())
            .unwrap_or_default()
    }

    fn set(&self, set: impl FnOnce(&mut ServerOptions)) {
        set(&mut self.0.borrow_mut());
    }
}

impl Guest for Component {
    type ServerOptions = Options;
    type Server = Server;

    async fn start_server(
        hosts: Vec<String>,
        port: wit::Port,
        options: Option<ServerOptionsHandle>,
    ) -> Result<ServerHandle, wit::ListenError> {
        executor::export(async {
            let options = Options::take(options);
            let server = options.bind(Hosts::from(hosts), port.into()).await?;
            Ok(ServerHandle::new(server))
        })
        .await
    }

    async fn start_unix_server(
        _address: wit::UnixAddress,
        _options: Option<ServerOptionsHandle>,
    ) -> Result<ServerHandle, wit::ListenError> {
        executor::export(async { Err(wit::ListenError::NotSupported(NO_UNIX.into())) }).await
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

    fn set_backlog(&self, backlog: u32) {
        self.set(|options| options.backlog = backlog);
    }

    fn set_reuse_address(&self, reuse: bool) {
        self.set(|options| options.reuse_address = reuse);
    }

    fn set_reuse_port(&self, reuse: bool) {
        self.set(|options| options.reuse_port = reuse);
    }

    fn set_keep_alive(&self, keep_alive: bool) {
        self.set(|options| options.keep_alive = keep_alive);
    }

    fn set_start_serving(&self, start_serving: bool) {
        self.set(|options| options.start_serving = start_serving);
    }

    fn set_ssl(&self, _context: SslContextBorrow<'_>) {
        self.set(|options| options.tls.wanted = true);
    }

    fn set_ssl_handshake_timeout(&self, _timeout: u64) {
        self.set(|options| options.tls.detail = Some("ssl-handshake-timeout"));
    }

    fn set_ssl_shutdown_timeout(&self, _timeout: u64) {
        self.set(|options| options.tls.detail = Some("ssl-shutdown-timeout"));
    }

    // Only Unix servers look at it, and there are none.
    fn set_cleanup_socket(&self, _cleanup: bool) {}
}

impl GuestServer for Server {
    fn sockets(&self) -> Vec<wit::SocketAddress> {
        let sockets = Server::sockets(self);
        sockets.into_iter().map(Into::into).collect()
    }

    fn is_serving(&self) -> bool {
        Server::is_serving(self)
    }

    async fn start_serving(&self) -> Result<(), wit::ListenError> {
        executor::export(async { Ok(Server::start_serving(self).await?) }).await
    }

    async fn serve_forever(&self) -> Result<(), wit::ServerError> {
        executor::export(async { Ok(Server::serve_forever(self).await?) }).await
    }

    async fn accept(&self) -> Result<Pair, wit::ServerError> {
        executor::export(async { Ok(pair(Server::accept(self).await?)) }).await
    }

    async fn ready(&self) -> Result<(), wit::ServerError> {
        executor::export(async { Ok(self.acceptable().await?) }).await
    }

    fn accept_nowait(&self) -> Result<Option<Pair>, wit::ServerError> {
        Ok(self.accept_now()?.map(pair))
    }

    fn close(&self) {
        Server::close(self);
    }

    fn close_clients(&self) {
        Server::close_clients(self);
    }

    fn abort_clients(&self) {
        Server::abort_clients(self);
    }

    async fn wait_closed(&self) {
        executor::export(async {
            Server::wait_closed(self).await;
        })
        .await
    }
}
