//! Looks a host up: from a name to addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use wasi::sockets::ip_name_lookup::resolve_addresses;

use crate::address::{Family, ip_from_wasi};
use crate::error::{LookupErrorCode, LookupFailure};
use crate::refusal::Refusal;

/// Restrictions of the lookup of a host and a port (AI_* of getaddrinfo).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LookupFlags {
    /// The host must be an IP address; no name is looked up.
    pub numeric_host: bool,
    /// The port must be a number.
    pub numeric_service: bool,
    /// Addresses only of families that this machine has. It changes nothing: every host's
    /// resolver does that already.
    pub addrconfig: bool,
    /// No host means all interfaces. Always so for servers, refused for clients.
    pub passive: bool,
}

/// Looks up the addresses of `host`, in the resolver's order. `numeric` refuses names.
pub(crate) async fn addresses(
    host: &str,
    port: u16,
    family: Option<Family>,
    numeric: bool,
) -> Result<Vec<SocketAddr>, Refusal> {
    // The system's resolver takes an empty name for this machine or for all interfaces, and
    // an empty setting must mean neither.
    if host.is_empty() {
        return Err(failure(host, LookupErrorCode::NameUnresolvable));
    }
    let found = match literal(host, port)? {
        Some(address) if family.is_some_and(|family| family != Family::of(&address)) => {
            return Err(failure(host, LookupErrorCode::WrongFamily));
        }
        Some(address) => vec![address],
        None if numeric => return Err(failure(host, LookupErrorCode::NameUnresolvable)),
        None => resolve_addresses(host.to_owned())
            .await
            .map_err(|code| failure(host, LookupErrorCode::from_wasi(code)))?
            .into_iter()
            .map(|address| SocketAddr::new(ip_from_wasi(address), port))
            .collect(),
    };
    let wanted: Vec<SocketAddr> = found
        .into_iter()
        .filter(|address| family.is_none_or(|family| family == Family::of(address)))
        .collect();
    if wanted.is_empty() {
        return Err(failure(host, LookupErrorCode::NameUnresolvable));
    }
    Ok(wanted)
}

/// Returns the addresses for no host: loopback, or all interfaces if `passive`; IPv6 first.
pub(crate) fn no_host(port: u16, family: Option<Family>, passive: bool) -> Vec<SocketAddr> {
    let both: [IpAddr; 2] = if passive {
        [Ipv6Addr::UNSPECIFIED.into(), Ipv4Addr::UNSPECIFIED.into()]
    } else {
        [Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()]
    };
    both.into_iter()
        .map(|ip| SocketAddr::new(ip, port))
        .filter(|address| family.is_none_or(|family| family == Family::of(address)))
        .collect()
}

/// Parses `host` as an IP address, with a numeric zone if it has one. Returns `None` for a
/// name.
fn literal(host: &str, port: u16) -> Result<Option<SocketAddr>, Refusal> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(Some(SocketAddr::new(ip, port)));
    }
    let Some((address, zone)) = host.split_once('%') else {
        return Ok(None);
    };
    let Ok(ip) = address.parse::<Ipv6Addr>() else {
        return Ok(None);
    };
    match zone.parse() {
        Ok(scope) => Ok(Some(SocketAddrV6::new(ip, port, 0, scope).into())),
        Err(_) => Err(Refusal::NotSupported(format!(
            "zone {zone:?} of {host:?} is the name of an interface, which WASI cannot look up; \
             give the interface's number"
        ))),
    }
}

fn failure(host: &str, code: LookupErrorCode) -> Refusal {
    Refusal::Lookup(LookupFailure {
        name: host.to_owned(),
        code,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_need_no_lookup() {
        let v4 = literal("127.0.0.1", 80).unwrap().unwrap();
        assert_eq!(v4.to_string(), "127.0.0.1:80");
        let zone = literal("fe80::1%3", 80).unwrap().unwrap();
        assert_eq!(zone.to_string(), "[fe80::1%3]:80");
        assert!(literal("example.com", 80).unwrap().is_none());
    }

    #[test]
    fn a_zone_by_the_name_of_its_interface_is_not_supported() {
        assert!(matches!(
            literal("fe80::1%eth0", 80),
            Err(Refusal::NotSupported(_))
        ));
    }

    #[test]
    fn oc5_no_host_is_this_machine_ipv6_first() {
        let both = no_host(80, None, false);
        assert_eq!(both[0].to_string(), "[::1]:80");
        assert_eq!(both[1].to_string(), "127.0.0.1:80");
        assert_eq!(
            no_host(80, Some(Family::Ipv4), true)[0].to_string(),
            "0.0.0.0:80"
        );
    }
}
