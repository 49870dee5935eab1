use std::io;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::sync::Arc;

use tokio::sync::Semaphore;
use wasmtime::component::Accessor;
use wasmtime_wasi::p3::bindings::sockets::ip_name_lookup::{ErrorCode, Host, HostWithStore};
use wasmtime_wasi::p3::bindings::sockets::types::IpAddress;

use super::hosts;
use crate::ctx::{StreamsCtxView, StreamsView};
use crate::imports::StreamsImports;
use crate::policy::{HostName, Target};

/// Bytes that a look-up takes until it is answered.
const LOOKUP: usize = 4096;

impl<T: StreamsView> HostWithStore<T> for StreamsImports {
    async fn resolve_addresses(
        store: &Accessor<T, Self>,
        name: String,
    ) -> wasmtime::Result<Result<Vec<IpAddress>, ErrorCode>> {
        let name = match name.parse() {
            Ok(Target::Name(name)) => name,
            Ok(Target::Address(address)) => return Ok(Ok(vec![address.into()])),
            Err(_) => return Ok(Err(ErrorCode::InvalidArgument)),
        };
        let (guard, lookups, search) = store.with(|mut store| {
            let ctx = store.get().ctx;
            let (guard, lookups) = (Arc::clone(&ctx.guard), Arc::clone(&ctx.lookups));
            (guard, lookups, ctx.search_domains)
        });
        if !guard.lookup(&name) {
            return Ok(Err(ErrorCode::AccessDenied));
        }
        if name.is_localhost() {
            let addresses = guard.loopback(&hosts::localhost());
            guard.resolved(&name, &addresses);
            return Ok(Ok(addresses.into_iter().map(IpAddress::from).collect()));
        }
        if let Err(quota) = guard.count_lookup(&name) {
            return Ok(Err(ErrorCode::Other(Some(quota.to_string()))));
        }
        let Some(_charge) = guard.charge(LOOKUP) else {
            return Ok(Err(ErrorCode::Other(Some("out of memory".to_owned()))));
        };
        let resolved = resolve(name.clone(), lookups, search).await;
        guard.looked_up(&name, resolved.as_ref().map_or(0, Vec::len));
        Ok(resolved.map(|addresses| {
            guard.resolved(&name, &addresses);
            addresses.into_iter().map(IpAddress::from).collect()
        }))
    }
}

impl Host for StreamsCtxView<'_> {}

/// Asks the system's resolver. Keeps the order of its answers, each address once.
///
/// With `search` it may add the search domains of resolv.conf(5) to the name.
async fn resolve(
    name: HostName,
    lookups: Arc<Semaphore>,
    search: bool,
) -> Result<Vec<IpAddr>, ErrorCode> {
    let asked = name.clone();
    let answers = on_a_thread(lookups, move || ask(&asked, search));
    let answers = answers.await.map_err(|error| {
        tracing::debug!(%name, %error, "look-up failed");
        error_code(&error)
    })?;
    let mut addresses = Vec::new();
    for address in answers.into_iter().map(|answer| answer.to_canonical()) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        return Err(ErrorCode::NameUnresolvable);
    }
    Ok(addresses)
}

/// Asks for exactly this name, or for what the search domains make of it too.
///
/// A dot at the end says that the name is whole. The resolver does not find such a name in
/// hosts(5), so that file is read first.
fn ask(name: &HostName, search: bool) -> io::Result<Vec<IpAddr>> {
    if !search {
        let known = hosts::addresses(name);
        if !known.is_empty() {
            return Ok(known);
        }
    }
    let asked = (question(name, search), 0).to_socket_addrs()?;
    Ok(asked.map(|answer| answer.ip()).collect())
}

/// The name as the resolver is asked for it.
fn question(name: &HostName, search: bool) -> String {
    match search {
        true => name.to_string(),
        false => format!("{name}."),
    }
}

/// Calls a resolver on a thread of its own. The call cannot be cancelled: a caller that gives
/// up leaves it running, and its permit stays taken until it is over. So there are never more
/// threads than permits.
async fn on_a_thread<T: Send + 'static>(
    permits: Arc<Semaphore>,
    resolver: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    // Fails only when the semaphore is closed, which never happens.
    let permit = permits.acquire_owned().await.map_err(io::Error::other)?;
    let call = tokio::task::spawn_blocking(move || {
        let result = resolver();
        drop(permit);
        result
    });
    call.await.map_err(io::Error::other)?
}

/// Guesses the resolver's code from its text: the standard library keeps no more.
fn error_code(error: &io::Error) -> ErrorCode {
    let text = error.to_string();
    if text.contains("Temporary failure") || text.contains("try again") {
        ErrorCode::TemporaryResolverFailure
    } else if text.contains("Non-recoverable") {
        ErrorCode::PermanentResolverFailure
    } else {
        ErrorCode::NameUnresolvable
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::sync::{Mutex, mpsc};
    use std::task::Poll;
    use std::time::Duration;

    use super::*;
    use crate::lock::lock;

    /// Each caller gives up at once, as with a time limit on a slow resolver.
    #[tokio::test]
    async fn look_ups_that_are_cancelled_keep_their_permits_and_start_no_more_threads() {
        const PERMITS: usize = 4;
        let permits = Arc::new(Semaphore::new(PERMITS));
        let (started, calls) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let released = Arc::new(Mutex::new(released));
        for _ in 0..100 {
            let (started, released) = (started.clone(), Arc::clone(&released));
            let look_up = on_a_thread(Arc::clone(&permits), move || {
                started.send(()).map_err(io::Error::other)?;
                lock(&released).recv().map_err(io::Error::other)
            });
            let mut look_up = pin!(look_up);
            let begun = poll_fn(|cx| Poll::Ready(look_up.as_mut().poll(cx).is_pending()));
            assert!(begun.await);
        }
        for _ in 0..PERMITS {
            calls.recv_timeout(Duration::from_secs(60)).unwrap();
        }
        assert_eq!(permits.available_permits(), 0);
        for _ in 0..PERMITS {
            release.send(()).unwrap();
        }
        let answer = on_a_thread(Arc::clone(&permits), || Ok(7)).await;
        assert_eq!(answer.unwrap(), 7);
        drop(started);
        assert_eq!(calls.iter().count(), 0, "no other call was started");
    }

    #[test]
    fn a_name_is_whole_unless_search_domains_are_wanted() {
        let name = "redis.internal".parse().unwrap();
        assert_eq!(question(&name, false), "redis.internal.");
        assert_eq!(question(&name, true), "redis.internal");
    }

    #[test]
    fn resolver_errors_are_told_apart() {
        let code = |text: &str| error_code(&io::Error::other(text));
        assert!(matches!(
            code("Temporary failure in name resolution"),
            ErrorCode::TemporaryResolverFailure
        ));
        assert!(matches!(
            code("Name or service not known"),
            ErrorCode::NameUnresolvable
        ));
    }
}
