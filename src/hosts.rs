//! Hosts, as clients and servers are given them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A host: a name, an IP address, or `None`.
///
/// A client without a host connects to this machine (loopback, IPv6 first), and refuses an
/// empty name, which cannot be looked up. A server without a host listens on all interfaces,
/// and so does one with an empty name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Host(Option<String>);

impl Host {
    /// Returns the name or address, which may be empty; `None` for no host.
    pub(crate) fn name(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// Returns the name or address; `None` for all interfaces.
    pub(crate) fn to_listen_on(&self) -> Option<&str> {
        self.name().filter(|name| !name.is_empty())
    }
}

impl From<&str> for Host {
    fn from(name: &str) -> Host {
        Host(Some(name.to_owned()))
    }
}

impl From<String> for Host {
    fn from(name: String) -> Host {
        Host(Some(name))
    }
}

impl From<&String> for Host {
    fn from(name: &String) -> Host {
        Host::from(name.as_str())
    }
}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Host {
        Host(Some(address.to_string()))
    }
}

impl From<Ipv4Addr> for Host {
    fn from(address: Ipv4Addr) -> Host {
        Host::from(IpAddr::from(address))
    }
}

impl From<Ipv6Addr> for Host {
    fn from(address: Ipv6Addr) -> Host {
        Host::from(IpAddr::from(address))
    }
}

/// The only conversion from an `Option`, so that the compiler knows the type of a
/// bare `None`.
impl From<Option<&str>> for Host {
    fn from(name: Option<&str>) -> Host {
        Host(name.map(str::to_owned))
    }
}

/// The hosts that a server listens on: one, several, or none for all interfaces.
///
/// None is `()` or `None`. An empty list is refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hosts(Option<Vec<Host>>);

impl Hosts {
    /// Returns the hosts of a list that may be missing.
    #[cfg(feature = "component")]
    pub(crate) fn from_list(hosts: Option<Vec<String>>) -> Hosts {
        hosts.map(Hosts::from).unwrap_or_default()
    }

    /// Returns the hosts in order, at least one.
    pub(crate) fn checked(self) -> Result<Vec<Host>, String> {
        match self.0 {
            None => Ok(vec![Host::default()]),
            Some(hosts) if hosts.is_empty() => {
                Err("the list of hosts is empty; leave it out for all interfaces".into())
            }
            Some(hosts) => Ok(hosts),
        }
    }
}

impl From<()> for Hosts {
    fn from((): ()) -> Hosts {
        Hosts::default()
    }
}

impl<H: Into<Host>> From<Vec<H>> for Hosts {
    fn from(hosts: Vec<H>) -> Hosts {
        Hosts(Some(hosts.into_iter().map(Into::into).collect()))
    }
}

impl<H: Into<Host> + Clone> From<&[H]> for Hosts {
    fn from(hosts: &[H]) -> Hosts {
        Hosts::from(hosts.to_vec())
    }
}

impl<H: Into<Host>, const N: usize> From<[H; N]> for Hosts {
    fn from(hosts: [H; N]) -> Hosts {
        Hosts(Some(hosts.map(Into::into).into()))
    }
}

macro_rules! one_host {
    ($($host:ty),* $(,)?) => {
        $(impl From<$host> for Hosts {
            fn from(host: $host) -> Hosts {
                Hosts::from([host])
            }
        })*
    };
}

one_host!(
    Host,
    &str,
    String,
    &String,
    IpAddr,
    Ipv4Addr,
    Ipv6Addr,
    Option<&str>
);

#[cfg(test)]
mod tests {
    use super::*;

    fn host(host: impl Into<Host>) -> Host {
        host.into()
    }

    fn hosts(hosts: impl Into<Hosts>) -> Result<Vec<Host>, String> {
        hosts.into().checked()
    }

    #[test]
    fn names_and_addresses_of_any_type_are_hosts() {
        let owned = "a.example".to_owned();
        for host in [host("a.example"), host(&owned), host(owned)] {
            assert_eq!(host.name(), Some("a.example"));
        }
        assert_eq!(host(Ipv4Addr::LOCALHOST).name(), Some("127.0.0.1"));
        assert_eq!(host(Ipv6Addr::LOCALHOST).name(), Some("::1"));
        assert_eq!(host(IpAddr::from([127, 0, 0, 1])).name(), Some("127.0.0.1"));
        assert_eq!(host(Some("b.example")).name(), Some("b.example"));
    }

    #[test]
    fn an_empty_name_is_all_interfaces_for_a_server_and_a_name_for_a_client() {
        assert_eq!(host(None).to_listen_on(), None);
        assert_eq!(host("").to_listen_on(), None);
        assert_eq!(host(None).name(), None);
        assert_eq!(host("").name(), Some(""));
    }

    #[test]
    fn a_server_takes_one_host_several_or_none() {
        let both = vec![host("127.0.0.1"), host("::1")];
        let owned = "::1".to_owned();
        let addresses: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        assert_eq!(hosts(["127.0.0.1", "::1"]), Ok(both.clone()));
        assert_eq!(
            hosts(vec!["127.0.0.1".to_owned(), "::1".into()]),
            Ok(both.clone())
        );
        assert_eq!(hosts(addresses), Ok(both.clone()));
        assert_eq!(hosts(addresses.as_slice()), Ok(both.clone()));
        assert_eq!(hosts(both.clone()), Ok(both));
        for one in [
            hosts("::1"),
            hosts("::1".to_owned()),
            hosts(&owned),
            hosts(Ipv6Addr::LOCALHOST),
            hosts(IpAddr::from(Ipv6Addr::LOCALHOST)),
            hosts(host("::1")),
        ] {
            assert_eq!(one, Ok(vec![host("::1")]));
        }
        let everywhere = Ok(vec![Host::default()]);
        assert_eq!(hosts(()), everywhere);
        assert!(hosts(None).is_ok_and(|hosts| hosts.iter().all(|host| host.name().is_none())));
        assert!(hosts(Vec::<String>::new()).unwrap_err().contains("empty"));
    }
}
