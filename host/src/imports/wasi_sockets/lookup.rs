use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use wasmtime::component::Accessor;
use wasmtime_wasi::p3::bindings::sockets::ip_name_lookup::{ErrorCode, Host, HostWithStore};
use wasmtime_wasi::p3::bindings::sockets::types::IpAddress;

use crate::ctx::{StreamsCtxView, StreamsView};
use crate::imports::StreamsImports;
use crate::policy::{HostName, Target};

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
        let (guard, lookups) = store.with(|mut store| {
            let ctx = store.get().ctx;
            (Arc::clone(&ctx.guard), Arc::clone(&ctx.lookups))
        });
        if !guard.lookup(&name) {
            return Ok(Err(ErrorCode::AccessDenied));
        }
        let resolved = {
            // Fails only when the semaphore is closed, which never happens.
            let _permit = lookups.acquire().await;
            resolve(&name).await
        };
        Ok(resolved.map(|addresses| {
            guard.resolved(&name, &addresses);
            addresses.into_iter().map(IpAddress::from).collect()
        }))
    }
}

impl Host for StreamsCtxView<'_> {}

/// Asks the system's resolver. Keeps the order of its answers, each address once.
async fn resolve(name: &HostName) -> Result<Vec<IpAddr>, ErrorCode> {
    let answers = tokio::net::lookup_host((name.as_str(), 0))
        .await
        .map_err(|error| {
            tracing::debug!(%name, %error, "look-up failed");
            error_code(&error)
        })?;
    let mut addresses = Vec::new();
    for address in answers.map(|answer| answer.ip().to_canonical()) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        return Err(ErrorCode::NameUnresolvable);
    }
    Ok(addresses)
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
    use super::*;

    #[tokio::test]
    async fn localhost_resolves_to_loopback_addresses() {
        let addresses = resolve(&"localhost".parse().unwrap()).await.unwrap();
        assert!(!addresses.is_empty());
        assert!(addresses.iter().all(IpAddr::is_loopback), "{addresses:?}");
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
