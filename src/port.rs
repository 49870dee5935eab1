//! Ports, by number or by the name of a service.

use crate::error::{LookupErrorCode, LookupFailure};
use crate::refusal::Refusal;

/// A port, by number or by the name of its service: `8888`, `"8888"`, `"http"`.
///
/// WASI has no services database, so the names are a fixed list of services in
/// use over TCP: `echo`, `discard`, `daytime`, `chargen`, `ftp-data`, `ftp`,
/// `ssh`, `telnet`, `smtp`, `time`, `whois`, `domain`, `gopher`, `finger`,
/// `http`, `kerberos`, `pop3`, `sunrpc`, `nntp`, `ntp`, `imap`, `imap2`, `snmp`,
/// `bgp`, `irc`, `ldap`, `https`, `submissions`, `rtsp`, `submission`, `ldaps`,
/// `rsync`, `ftps`, `telnets`, `imaps`, `pop3s`, `socks`, `mqtt`, `mysql`,
/// `postgresql`, `amqp`, `redis`, `http-alt`, `secure-mqtt`. Another name is refused with
/// [`LookupErrorCode::UnknownService`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Port {
    /// A number. 0 asks a server for any free port.
    Number(u16),
    /// The name of a service, or a number in decimal digits.
    Service(String),
}

/// The services that are known by name, with IANA's numbers.
const SERVICES: &[(&str, u16)] = &[
    ("echo", 7),
    ("discard", 9),
    ("daytime", 13),
    ("chargen", 19),
    ("ftp-data", 20),
    ("ftp", 21),
    ("ssh", 22),
    ("telnet", 23),
    ("smtp", 25),
    ("time", 37),
    ("whois", 43),
    ("domain", 53),
    ("gopher", 70),
    ("finger", 79),
    ("http", 80),
    ("kerberos", 88),
    ("pop3", 110),
    ("sunrpc", 111),
    ("nntp", 119),
    ("ntp", 123),
    ("imap", 143),
    ("imap2", 143),
    ("snmp", 161),
    ("bgp", 179),
    ("irc", 194),
    ("ldap", 389),
    ("https", 443),
    ("submissions", 465),
    ("rtsp", 554),
    ("submission", 587),
    ("ldaps", 636),
    ("rsync", 873),
    ("ftps", 990),
    ("telnets", 992),
    ("imaps", 993),
    ("pop3s", 995),
    ("socks", 1080),
    ("mqtt", 1883),
    ("mysql", 3306),
    ("postgresql", 5432),
    ("amqp", 5672),
    ("redis", 6379),
    ("http-alt", 8080),
    ("secure-mqtt", 8883),
];

impl Port {
    /// Returns the number. `numeric` refuses names of services.
    pub(crate) fn number(&self, numeric: bool) -> Result<u16, Refusal> {
        let name = match self {
            Port::Number(number) => return Ok(*number),
            Port::Service(name) => name.as_str(),
        };
        if name.parse::<i64>().is_ok() {
            return name.parse().map_err(|_| {
                Refusal::InvalidArgument(format!("port {name} is not within 0-65535"))
            });
        }
        SERVICES
            .iter()
            .find(|(known, _)| *known == name && !numeric)
            .map(|(_, number)| *number)
            .ok_or_else(|| {
                Refusal::Lookup(LookupFailure {
                    name: name.to_owned(),
                    code: LookupErrorCode::UnknownService,
                })
            })
    }
}

impl From<u16> for Port {
    fn from(number: u16) -> Port {
        Port::Number(number)
    }
}

/// A number outside of 0 to 65535 is refused when the port is used.
impl From<i32> for Port {
    fn from(number: i32) -> Port {
        match u16::try_from(number) {
            Ok(number) => Port::Number(number),
            Err(_) => Port::Service(number.to_string()),
        }
    }
}

impl From<&str> for Port {
    fn from(name: &str) -> Port {
        Port::Service(name.to_owned())
    }
}

impl From<&String> for Port {
    fn from(name: &String) -> Port {
        Port::Service(name.clone())
    }
}

impl From<String> for Port {
    fn from(name: String) -> Port {
        Port::Service(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_digits_and_service_names_are_ports() {
        assert_eq!(Port::from(8888).number(true).unwrap(), 8888);
        assert_eq!(Port::from("8888").number(true).unwrap(), 8888);
        assert_eq!(Port::from("https").number(false).unwrap(), 443);
    }

    #[test]
    fn the_documentation_lists_every_service() {
        let (documented, _) = include_str!("port.rs").split_once("pub enum").unwrap();
        for (name, _) in SERVICES {
            assert!(documented.contains(&format!("`{name}`")), "{name}");
        }
    }

    #[test]
    fn unknown_services_and_numbers_out_of_range_are_errors_that_name_them() {
        for (name, numeric) in [("htpt", false), ("http", true)] {
            match Port::from(name).number(numeric) {
                Err(Refusal::Lookup(failure)) => {
                    assert_eq!(failure.name, name);
                    assert_eq!(failure.code, LookupErrorCode::UnknownService);
                }
                other => panic!("{other:?}"),
            }
        }
        for number in [65536, -1] {
            match Port::from(number).number(false) {
                Err(Refusal::InvalidArgument(why)) => assert!(why.contains(&number.to_string())),
                other => panic!("{other:?}"),
            }
        }
    }
}
