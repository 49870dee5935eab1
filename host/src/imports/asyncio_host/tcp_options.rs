use wasmtime::component::Resource;
use wasmtime_wasi::p3::bindings::sockets::types::{ErrorCode, TcpSocket};

use super::bindings::tcp_options::Host;
use crate::ctx::StreamsCtxView;
use crate::imports::wasi_sockets::tcp;
use crate::sockets::stream::Options;

type Outcome = wasmtime::Result<Result<(), ErrorCode>>;

impl Host for StreamsCtxView<'_> {
    fn reset(&mut self, socket: Resource<TcpSocket>) -> Outcome {
        Ok(tcp::get(self.table, &socket)?.reset())
    }

    fn set_reuse_port(&mut self, socket: Resource<TcpSocket>, reuse: bool) -> Outcome {
        Ok(tcp::get(self.table, &socket)?.set_reuse_port(reuse))
    }

    fn set_reuse_address(&mut self, socket: Resource<TcpSocket>, reuse: bool) -> Outcome {
        Ok(tcp::get(self.table, &socket)?.set_reuse_address(reuse))
    }

    fn set_no_delay(&mut self, socket: Resource<TcpSocket>, no_delay: bool) -> Outcome {
        let options = tcp::get(self.table, &socket)?.options();
        Ok(options.and_then(|options| options.set_no_delay(no_delay)))
    }

    fn get_no_delay(
        &mut self,
        socket: Resource<TcpSocket>,
    ) -> wasmtime::Result<Result<bool, ErrorCode>> {
        let options = tcp::get(self.table, &socket)?.options();
        Ok(options.and_then(Options::no_delay))
    }
}
