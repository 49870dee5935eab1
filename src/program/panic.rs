//! The message of a program that panics.

use std::panic;

use wasi::cli::{stderr, stdout};
use wasi::wit_stream;
use wit_bindgen::rt::async_support::{FutureReader, StreamReader};

use super::stdio;
use crate::runtime::executor;

/// Installs a panic hook that writes the message and the place to standard error. The
/// program then traps, and the host ends it.
pub(super) fn install() {
    panic::set_hook(Box::new(|panic| {
        executor::abandon();
        let printed = stdio::unwritten();
        let message = format!("{panic}\n");
        wit_bindgen::block_on(async {
            if !printed.is_empty() {
                write(printed, stdout::write_via_stream).await;
            }
            write(message.into_bytes(), stderr::write_via_stream).await;
        });
    }));
}

async fn write<T: 'static>(bytes: Vec<u8>, to: impl FnOnce(StreamReader<u8>) -> FutureReader<T>) {
    let (mut writer, stream) = wit_stream::new();
    let taken = to(stream);
    writer.write_all(bytes).await;
    drop(writer);
    taken.await;
}
