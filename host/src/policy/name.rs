use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use thiserror::Error;

/// The longest name in DNS, in bytes: RFC 1035.
const MAX_LENGTH: usize = 253;

/// The longest text that is looked at, in bytes. A letter of a name takes at most 4 bytes in
/// UTF-8. IDNA ignores some letters, so that a text of any length could be a name.
const MAX_TEXT: usize = 4 * MAX_LENGTH;

/// The length, in characters, to which errors cut a text.
const SHOWN: usize = 300;

/// A host name in its canonical form: lower-case, in ASCII (IDNA), without a
/// dot at the end.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostName(String);

/// The target of a look-up: a name, or an address that needs no look-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A name.
    Name(HostName),
    /// An address; IPv6 with or without brackets.
    Address(IpAddr),
}

/// The error for a text that is neither a host name nor an address.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a host name")]
pub struct InvalidName(String);

impl HostName {
    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether this is `localhost` or a name below it (RFC 6761): such a name
    /// means the loopback interface, so a rule for it covers loopback addresses.
    #[must_use]
    pub fn is_localhost(&self) -> bool {
        self.0 == "localhost" || self.0.ends_with(".localhost")
    }

    /// Returns whether this name lies below `suffix`, and is not `suffix` itself.
    #[must_use]
    pub fn is_below(&self, suffix: &Self) -> bool {
        self.0
            .strip_suffix(&suffix.0)
            .is_some_and(|rest| rest.ends_with('.'))
    }
}

impl InvalidName {
    fn of(text: &str) -> Self {
        Self(text.chars().take(SHOWN).collect())
    }
}

impl FromStr for Target {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if text.len() > MAX_TEXT {
            return Err(InvalidName::of(text));
        }
        if let Ok(address) = text.parse::<Ipv6Addr>() {
            return Ok(Self::Address(IpAddr::V6(address).to_canonical()));
        }
        match url::Host::parse(text) {
            Ok(url::Host::Ipv4(address)) => Ok(Self::Address(IpAddr::V4(address))),
            Ok(url::Host::Ipv6(address)) => Ok(Self::Address(IpAddr::V6(address).to_canonical())),
            Ok(url::Host::Domain(domain)) => {
                let name = domain.strip_suffix('.').unwrap_or(&domain);
                let valid = name.len() <= MAX_LENGTH
                    && !name.contains('*')
                    && name.split('.').all(|label| (1..=63).contains(&label.len()));
                if valid {
                    Ok(Self::Name(HostName(name.to_owned())))
                } else {
                    Err(InvalidName::of(text))
                }
            }
            Err(_) => Err(InvalidName::of(text)),
        }
    }
}

impl FromStr for HostName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        match text.parse()? {
            Target::Name(name) => Ok(name),
            Target::Address(_) => Err(InvalidName::of(text)),
        }
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> HostName {
        text.parse().unwrap()
    }

    #[test]
    fn a_long_text_is_no_name_even_if_its_letters_are_ignored() {
        let soft = "\u{ad}".repeat(400);
        assert_eq!(name(&format!("a{soft}.example")).as_str(), "a.example");
        let long = format!("a{}.example", soft.repeat(100_000));
        let error = long.parse::<HostName>().unwrap_err().to_string();
        assert!(error.len() < 1000, "{}", error.len());
    }

    #[test]
    fn names_are_lower_case_ascii_without_a_dot_at_the_end() {
        assert_eq!(name("Example.COM.").as_str(), "example.com");
        assert_eq!(name("bücher.example").as_str(), "xn--bcher-kva.example");
        assert_eq!(name("my_host").as_str(), "my_host");
    }

    #[test]
    fn addresses_are_recognised_with_and_without_brackets() {
        let loopback = Target::Address("::1".parse().unwrap());
        assert_eq!("::1".parse::<Target>().unwrap(), loopback);
        assert_eq!("[::1]".parse::<Target>().unwrap(), loopback);
        let mapped = Target::Address("127.0.0.1".parse().unwrap());
        assert_eq!("::ffff:127.0.0.1".parse::<Target>().unwrap(), mapped);
        assert_eq!("127.0.0.1".parse::<Target>().unwrap(), mapped);
    }

    #[test]
    fn a_name_that_no_resolver_can_take_is_refused() {
        for text in ["", ".", "a..b", "a b", "a/b", "a:80", "*", "*.a", "a\0b"] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
        assert!("a".repeat(64).parse::<Target>().is_err());
        assert!(["abcdefg"; 40].join(".").parse::<Target>().is_err());
    }

    #[test]
    fn a_suffix_is_not_below_itself_and_needs_a_dot() {
        assert!(name("a.example.com").is_below(&name("example.com")));
        assert!(!name("example.com").is_below(&name("example.com")));
        assert!(!name("badexample.com").is_below(&name("example.com")));
    }

    #[test]
    fn only_localhost_and_names_below_it_are_localhost() {
        assert!(name("localhost").is_localhost());
        assert!(name("app.localhost").is_localhost());
        assert!(!name("localhost.example.com").is_localhost());
        assert!(!name("notlocalhost").is_localhost());
    }
}
