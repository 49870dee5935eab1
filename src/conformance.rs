//! Runs the battery of `tests/conformance` over a connection in memory.

use std::task::Poll;

use futures::FutureExt;

use crate as net;
use crate::runtime::executor::run_native;
use crate::spawn;
use crate::transport::memory::{Remote, single};

#[path = "../tests/conformance/mod.rs"]
mod battery;

/// Yields once, so that other tasks run.
async fn pause() {
    let mut paused = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut paused, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Reads; `None` if the read would have to wait.
async fn read_or_give_up(reader: &net::StreamReader, n: usize) -> Option<bytes::Bytes> {
    reader.read(n).now_or_never().map(Result::unwrap)
}

struct Memory;

impl battery::Maker for Memory {
    type Peer = Remote;

    async fn pair(&self, limit: usize) -> (net::StreamReader, net::StreamWriter, Remote) {
        single(limit, 1 << 20)
    }
}

impl battery::Peer for Remote {
    async fn send(&mut self, bytes: &[u8]) {
        self.push(bytes);
    }

    async fn receive(&mut self, count: usize) -> Vec<u8> {
        self.take(count).await
    }

    async fn finish(&mut self) {
        self.end();
    }

    async fn stay(&mut self) {}

    async fn ignore(&mut self) {}

    async fn reset(&mut self, _: &net::StreamWriter) {
        self.break_off();
    }
}

#[test]
fn battery_in_memory() {
    for (name, check) in battery::battery::<Memory>() {
        println!("{name}");
        run_native(check(&Memory));
    }
}
