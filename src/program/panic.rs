//! The message of a program that panics.

use std::panic;

use wasi::cli::stderr;
use wasi::wit_stream;

use super::output::{PATIENCE, within};
use super::stdio;
use crate::runtime::executor;

/// Installs a panic hook that writes the message and the place to standard error. The
/// program then traps, and the host ends it.
pub(super) fn install() {
    panic::set_hook(Box::new(|panic| {
        executor::abandon();
        stdio::finish_at_once();
        let message = format!("{panic}\n");
        wit_bindgen::block_on(within(PATIENCE, async {
            let (mut writer, stream) = wit_stream::new();
            let taken = stderr::write_via_stream(stream);
            writer.write_all(message.into_bytes()).await;
            drop(writer);
            taken.await
        }));
    }));
}
