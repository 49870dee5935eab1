//! The exports of the resource `socket-options` of `asyncio:streams/streams`.

use std::rc::Weak;

use super::convert::duration;
use super::wit::streams::GuestSocketOptions;
use super::wit::types::ErrorCode;
use crate::connection::Connection;
use crate::error;
use crate::socket::options;

/// The options of a connection, which they do not keep open.
pub(super) struct SocketOptions(pub(super) Weak<Connection>);

impl SocketOptions {
    fn with<T>(
        &self,
        access: impl FnOnce(options::SocketOptions<'_>) -> Result<T, error::ErrorCode>,
    ) -> Result<T, ErrorCode> {
        match self.0.upgrade() {
            Some(connection) => Ok(access(options::SocketOptions::new(&connection))?),
            None => Err(ErrorCode::InvalidState),
        }
    }
}

impl GuestSocketOptions for SocketOptions {
    fn get_no_delay(&self) -> Result<bool, ErrorCode> {
        self.with(|options| options.no_delay())
    }

    fn set_no_delay(&self, value: bool) -> Result<(), ErrorCode> {
        self.with(|options| options.set_no_delay(value))
    }

    fn get_keep_alive(&self) -> Result<bool, ErrorCode> {
        self.with(|options| options.keep_alive())
    }

    fn set_keep_alive(&self, value: bool) -> Result<(), ErrorCode> {
        self.with(|options| options.set_keep_alive(value))
    }

    fn get_keep_alive_idle_time(&self) -> Result<u64, ErrorCode> {
        let time = self.with(|options| options.keep_alive_idle_time())?;
        Ok(options::nanoseconds(time))
    }

    fn set_keep_alive_idle_time(&self, value: u64) -> Result<(), ErrorCode> {
        self.with(|options| options.set_keep_alive_idle_time(duration(value)))
    }

    fn get_keep_alive_interval(&self) -> Result<u64, ErrorCode> {
        let time = self.with(|options| options.keep_alive_interval())?;
        Ok(options::nanoseconds(time))
    }

    fn set_keep_alive_interval(&self, value: u64) -> Result<(), ErrorCode> {
        self.with(|options| options.set_keep_alive_interval(duration(value)))
    }

    fn get_keep_alive_count(&self) -> Result<u32, ErrorCode> {
        self.with(|options| options.keep_alive_count())
    }

    fn set_keep_alive_count(&self, value: u32) -> Result<(), ErrorCode> {
        self.with(|options| options.set_keep_alive_count(value))
    }

    fn get_receive_buffer_size(&self) -> Result<u64, ErrorCode> {
        self.with(|options| options.receive_buffer_size())
    }

    fn set_receive_buffer_size(&self, value: u64) -> Result<(), ErrorCode> {
        self.with(|options| options.set_receive_buffer_size(value))
    }

    fn get_send_buffer_size(&self) -> Result<u64, ErrorCode> {
        self.with(|options| options.send_buffer_size())
    }

    fn set_send_buffer_size(&self, value: u64) -> Result<(), ErrorCode> {
        self.with(|options| options.set_send_buffer_size(value))
    }
}
