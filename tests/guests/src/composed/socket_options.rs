use std::rc::Rc;
use std::time::Duration;

use super::wit::streams::SocketOptions as Resource;
use super::{ErrorCode, nanoseconds};

/// The options of a connection's socket; its methods are those of the crate's type.
#[derive(Debug, Clone)]
pub struct SocketOptions(pub(super) Rc<Resource>);

/// Implements methods by the component's.
macro_rules! options {
    ($($get:ident = $wit_get:ident, $set:ident: $ty:ty, |$value:ident| $from:expr, $to:expr;)*) => {
        impl SocketOptions {
            $(
                /// See the crate.
                ///
                /// # Errors
                /// The errors of the crate's method of this name.
                pub fn $get(&self) -> Result<$ty, ErrorCode> {
                    let $value = self.0.$wit_get()?;
                    Ok($from)
                }

                /// See the crate.
                ///
                /// # Errors
                /// The errors of the crate's method of this name.
                pub fn $set(&self, $value: $ty) -> Result<(), ErrorCode> {
                    Ok(self.0.$set($to)?)
                }
            )*
        }
    };
}

options! {
    no_delay = get_no_delay, set_no_delay: bool, |value| value, value;
    keep_alive = get_keep_alive, set_keep_alive: bool, |value| value, value;
    keep_alive_idle_time = get_keep_alive_idle_time, set_keep_alive_idle_time: Duration,
        |value| Duration::from_nanos(value), nanoseconds(value);
    keep_alive_interval = get_keep_alive_interval, set_keep_alive_interval: Duration,
        |value| Duration::from_nanos(value), nanoseconds(value);
    keep_alive_count = get_keep_alive_count, set_keep_alive_count: u32, |value| value, value;
    receive_buffer_size = get_receive_buffer_size, set_receive_buffer_size: u64,
        |value| value, value;
    send_buffer_size = get_send_buffer_size, set_send_buffer_size: u64, |value| value, value;
}
