use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use thiserror::Error;

use super::tcp::PRIVATE;
use super::unix::{parse_connect, parse_listen};
use super::{
    HostName, HostPattern, ListenRule, NamePattern, PortPattern, Rule, RuleProblem, TcpListenRule,
    TcpRule, UNIX_GRAMMAR,
};

/// The grammar of a rule for addresses, for messages and help texts.
pub const ADDRESS_GRAMMAR: &str = "tcp://HOST:PORT, where HOST is an IPv4 address, an IPv6 address \
in brackets, a range (10.0.0.0/8, [fd00::/8]), a name, *.suffix or *, and PORT a number, a range \
(8000-8999) or *; ?private after it lets a name resolve to private addresses";

/// The grammar of a look-up rule, for messages and help texts.
pub const NAME_GRAMMAR: &str = "a host name, *.suffix or *";

/// The error for a text that is not a rule. Its message has the problem and the grammar.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}`: {problem}; a rule is {grammar}")]
pub struct ParseRuleError {
    text: String,
    problem: RuleProblem,
    grammar: &'static str,
}

impl ParseRuleError {
    /// Returns the problem with the text.
    #[must_use]
    pub fn problem(&self) -> &RuleProblem {
        &self.problem
    }
}

impl FromStr for Rule {
    type Err = ParseRuleError;

    fn from_str(text: &str) -> Result<Self, ParseRuleError> {
        let rule = match text.strip_prefix("unix:") {
            Some(name) => parse_connect(name).map(Self::Unix),
            None => parse_tcp(text).map(Self::Tcp),
        };
        rule.map_err(|problem| explained(text, problem))
    }
}

impl FromStr for ListenRule {
    type Err = ParseRuleError;

    fn from_str(text: &str) -> Result<Self, ParseRuleError> {
        let rule = match text.strip_prefix("unix:") {
            Some(name) => parse_listen(name).map(Self::Unix),
            None => parse_tcp_listen(text).map(Self::Tcp),
        };
        rule.map_err(|problem| explained(text, problem))
    }
}

impl FromStr for NamePattern {
    type Err = ParseRuleError;

    fn from_str(text: &str) -> Result<Self, ParseRuleError> {
        let pattern = match text.strip_prefix("*.") {
            _ if text == "*" => Ok(Self::Any),
            Some(suffix) => suffix.parse().map(Self::Suffix),
            None => text.parse().map(Self::Name),
        };
        pattern.map_err(|_| ParseRuleError {
            text: text.to_owned(),
            problem: RuleProblem::Name(text.to_owned()),
            grammar: NAME_GRAMMAR,
        })
    }
}

/// Adds the grammar of the kind of rule that the text was meant to be.
fn explained(text: &str, problem: RuleProblem) -> ParseRuleError {
    ParseRuleError {
        text: text.to_owned(),
        problem,
        grammar: match text.starts_with("unix:") {
            true => UNIX_GRAMMAR,
            false => ADDRESS_GRAMMAR,
        },
    }
}

fn parse_tcp_listen(text: &str) -> Result<TcpListenRule, RuleProblem> {
    let rule = parse_tcp(text)?;
    let is_name = match &rule.host {
        HostPattern::Any | HostPattern::Address(_) | HostPattern::Network(_) => false,
        HostPattern::Name(name) | HostPattern::Suffix(name) => !name.is_localhost(),
    };
    if is_name {
        return Err(RuleProblem::NameInListen);
    }
    if rule.private {
        return Err(RuleProblem::PrivateInListen);
    }
    Ok(TcpListenRule(rule))
}

fn parse_tcp(text: &str) -> Result<TcpRule, RuleProblem> {
    let rest = text.strip_prefix("tcp://").ok_or(RuleProblem::Scheme)?;
    let (rest, private) = match rest.find('?').map(|at| rest.split_at(at)) {
        None => (rest, false),
        Some((rest, PRIVATE)) => (rest, true),
        Some((_, option)) => return Err(RuleProblem::TcpOption(option.to_owned())),
    };
    let (host, port) = match rest.strip_prefix('[') {
        Some(bracketed) => {
            let (inside, after) = bracketed
                .split_once(']')
                .ok_or_else(|| RuleProblem::Ipv6(bracketed.to_owned()))?;
            let (length, port) = after.rsplit_once(':').ok_or(RuleProblem::MissingPort)?;
            (parse_bracketed(&format!("{inside}{length}"))?, port)
        }
        None => {
            let (host, port) = rest.rsplit_once(':').ok_or(RuleProblem::MissingPort)?;
            if host.contains(':') || rest.parse::<Ipv6Addr>().is_ok() {
                return Err(RuleProblem::MissingBrackets);
            }
            (parse_host(host)?, port)
        }
    };
    let port = parse_port(port)?;
    let is_name = matches!(host, HostPattern::Name(_) | HostPattern::Suffix(_));
    if private && !is_name {
        return Err(RuleProblem::PrivateWithoutName);
    }
    Ok(TcpRule {
        host,
        port,
        private,
    })
}

fn parse_port(text: &str) -> Result<PortPattern, RuleProblem> {
    if text == "*" {
        return Ok(PortPattern::Any);
    }
    let number = |text: &str| match text.bytes().all(|b| b.is_ascii_digit()) {
        true => text.parse::<u16>().ok(),
        false => None,
    };
    match text.split_once('-') {
        None if text.is_empty() => Err(RuleProblem::MissingPort),
        None => number(text)
            .map(PortPattern::One)
            .ok_or_else(|| RuleProblem::Port(text.to_owned())),
        Some((first, last)) => match (number(first), number(last)) {
            (Some(first), Some(last)) if (1..=last).contains(&first) => {
                Ok(PortPattern::Range(first, last))
            }
            _ => Err(RuleProblem::PortRange(text.to_owned())),
        },
    }
}

fn parse_bracketed(text: &str) -> Result<HostPattern, RuleProblem> {
    if text.contains('/') {
        let network: Ipv6Net = text
            .parse()
            .map_err(|_| RuleProblem::Network(text.to_owned()))?;
        return network_pattern(text, IpNet::V6(network));
    }
    let address: Ipv6Addr = text
        .parse()
        .map_err(|_| RuleProblem::Ipv6(text.to_owned()))?;
    Ok(HostPattern::Address(IpAddr::V6(address).to_canonical()))
}

fn parse_host(text: &str) -> Result<HostPattern, RuleProblem> {
    if text == "*" {
        return Ok(HostPattern::Any);
    }
    if text.contains('/') {
        let network: Ipv4Net = text
            .parse()
            .map_err(|_| RuleProblem::Network(text.to_owned()))?;
        return network_pattern(text, IpNet::V4(network));
    }
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Ok(HostPattern::Address(IpAddr::V4(address)));
    }
    let name = |text: &str| {
        text.parse::<HostName>()
            .map_err(|_| RuleProblem::Name(text.to_owned()))
    };
    match text.strip_prefix("*.") {
        Some(suffix) => name(suffix).map(HostPattern::Suffix),
        None => name(text).map(HostPattern::Name),
    }
}

fn network_pattern(text: &str, network: IpNet) -> Result<HostPattern, RuleProblem> {
    let network = unmapped(network);
    if network != network.trunc() {
        return Err(RuleProblem::HostBits {
            given: text.to_owned(),
            meant: network.trunc().to_string(),
        });
    }
    Ok(HostPattern::Network(network))
}

/// Converts an IPv4-mapped range to the IPv4 range that it maps.
fn unmapped(network: IpNet) -> IpNet {
    let mapped = match network {
        IpNet::V6(v6) => v6.addr().to_ipv4_mapped(),
        IpNet::V4(_) => None,
    };
    mapped
        .zip(network.prefix_len().checked_sub(96))
        .and_then(|(address, prefix)| Ipv4Net::new(address, prefix).ok())
        .map_or(network, IpNet::V4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn problem(text: &str) -> RuleProblem {
        text.parse::<Rule>().unwrap_err().problem
    }

    #[test]
    fn every_form_in_the_grammar_parses_and_shows_its_canonical_form() {
        for (text, canonical) in [
            ("tcp://127.0.0.1:80", "tcp://127.0.0.1:80"),
            ("tcp://[::1]:80", "tcp://[::1]:80"),
            ("tcp://[0:0::1]:080", "tcp://[::1]:80"),
            ("tcp://[::ffff:10.0.0.1]:80", "tcp://10.0.0.1:80"),
            ("tcp://10.0.0.0/8:80", "tcp://10.0.0.0/8:80"),
            ("tcp://[fd00::/8]:80", "tcp://[fd00::/8]:80"),
            ("tcp://[fd00::]/8:80", "tcp://[fd00::/8]:80"),
            ("tcp://[::ffff:10.0.0.0/104]:80", "tcp://10.0.0.0/8:80"),
            ("tcp://Example.COM:443", "tcp://example.com:443"),
            ("tcp://*.example.com:443", "tcp://*.example.com:443"),
            ("tcp://*:*", "tcp://*:*"),
            ("tcp://localhost:8000-8999", "tcp://localhost:8000-8999"),
            ("tcp://127.0.0.1:0", "tcp://127.0.0.1:0"),
            ("tcp://Redis:6379?private", "tcp://redis:6379?private"),
            ("tcp://*.internal:*?private", "tcp://*.internal:*?private"),
        ] {
            assert_eq!(text.parse::<Rule>().unwrap().to_string(), canonical);
        }
    }

    #[test]
    fn each_mistake_is_named() {
        assert_eq!(problem("127.0.0.1:80"), RuleProblem::Scheme);
        assert_eq!(problem("udp://127.0.0.1:80"), RuleProblem::Scheme);
        assert_eq!(problem("tcp://127.0.0.1"), RuleProblem::MissingPort);
        assert_eq!(problem("tcp://127.0.0.1:"), RuleProblem::MissingPort);
        assert_eq!(problem("tcp://[::1]"), RuleProblem::MissingPort);
        assert_eq!(problem("tcp://a:http"), RuleProblem::Port("http".into()));
        assert_eq!(problem("tcp://a:+80"), RuleProblem::Port("+80".into()));
        assert_eq!(problem("tcp://a:65536"), RuleProblem::Port("65536".into()));
        assert_eq!(problem("tcp://a:9-8"), RuleProblem::PortRange("9-8".into()));
        assert_eq!(problem("tcp://a:0-9"), RuleProblem::PortRange("0-9".into()));
        assert_eq!(problem("tcp://::1:80"), RuleProblem::MissingBrackets);
        assert_eq!(problem("tcp://[::g]:80"), RuleProblem::Ipv6("::g".into()));
        assert_eq!(
            problem("tcp://10.0.0.0/33:80"),
            RuleProblem::Network("10.0.0.0/33".into())
        );
        let option = RuleProblem::TcpOption("?public".into());
        assert_eq!(problem("tcp://a:80?public"), option);
        for text in ["tcp://*:80?private", "tcp://10.0.0.1:80?private"] {
            assert_eq!(problem(text), RuleProblem::PrivateWithoutName);
        }
        assert_eq!(problem("tcp://a b:80"), RuleProblem::Name("a b".into()));
        assert_eq!(problem("tcp://:80"), RuleProblem::Name(String::new()));
        assert_eq!(problem("tcp://a.*.b:80"), RuleProblem::Name("a.*.b".into()));
        // Forms that inet_aton takes, and that hide which address is meant.
        assert_eq!(
            problem("tcp://0x7f.1:80"),
            RuleProblem::Name("0x7f.1".into())
        );
    }

    #[test]
    fn a_range_with_bits_after_its_prefix_is_refused_with_the_range_meant() {
        let error = "tcp://10.1.2.3/8:80".parse::<Rule>().unwrap_err();
        assert!(error.to_string().contains("did you mean 10.0.0.0/8"));
    }

    #[test]
    fn a_parse_error_shows_the_text_and_the_grammar() {
        let error = "http://a".parse::<Rule>().unwrap_err().to_string();
        assert!(error.contains("`http://a`") && error.contains(ADDRESS_GRAMMAR));
        let error = "a b".parse::<NamePattern>().unwrap_err().to_string();
        assert!(error.contains("`a b`") && error.contains(NAME_GRAMMAR));
    }

    #[test]
    fn a_listen_rule_is_an_address_or_localhost() {
        for text in [
            "tcp://127.0.0.1:0",
            "tcp://[::]:80",
            "tcp://*:80",
            "tcp://localhost:80",
        ] {
            assert_eq!(text.parse::<ListenRule>().unwrap().to_string(), text);
        }
        let error = "tcp://example.com:80".parse::<ListenRule>().unwrap_err();
        assert_eq!(error.problem, RuleProblem::NameInListen);
        let error = "tcp://localhost:80?private".parse::<ListenRule>();
        assert_eq!(error.unwrap_err().problem, RuleProblem::PrivateInListen);
    }

    #[test]
    fn name_patterns_are_a_name_a_suffix_or_a_star() {
        for text in ["example.com", "*.example.com", "*", "localhost"] {
            assert_eq!(text.parse::<NamePattern>().unwrap().to_string(), text);
        }
        for text in ["", "**", "*example.com", "127.0.0.1", "example.com:80"] {
            assert!(text.parse::<NamePattern>().is_err(), "{text}");
        }
    }

    fn any_port() -> impl Strategy<Value = PortPattern> {
        prop_oneof![
            Just(PortPattern::Any),
            any::<u16>().prop_map(PortPattern::One),
            (1..=u16::MAX, 1..=u16::MAX).prop_map(|(a, b)| PortPattern::Range(a.min(b), a.max(b))),
        ]
    }

    fn any_name() -> impl Strategy<Value = HostName> {
        "[a-z][a-z0-9]{0,9}(\\.[a-z][a-z0-9]{0,9}){0,3}".prop_map(|text| text.parse().unwrap())
    }

    fn any_host() -> impl Strategy<Value = HostPattern> {
        let v6 = || any::<u128>().prop_map(Ipv6Addr::from);
        prop_oneof![
            Just(HostPattern::Any),
            any::<u32>().prop_map(|bits| HostPattern::Address(Ipv4Addr::from(bits).into())),
            v6().prop_map(|address| HostPattern::Address(IpAddr::V6(address).to_canonical())),
            (any::<u32>(), 0..=32_u8).prop_map(|(bits, prefix)| HostPattern::Network(
                IpNet::new(Ipv4Addr::from(bits).into(), prefix)
                    .unwrap()
                    .trunc()
            )),
            (v6(), 0..=128_u8).prop_map(|(address, prefix)| HostPattern::Network(unmapped(
                IpNet::new(address.into(), prefix).unwrap().trunc()
            ))),
            any_name().prop_map(HostPattern::Name),
            any_name().prop_map(HostPattern::Suffix),
        ]
    }

    proptest! {
        #[test]
        fn what_a_rule_shows_parses_to_the_same_rule(
            host in any_host(),
            port in any_port(),
            private: bool,
        ) {
            let is_name = matches!(host, HostPattern::Name(_) | HostPattern::Suffix(_));
            let private = private && is_name;
            let rule = Rule::Tcp(TcpRule { host, port, private });
            prop_assert_eq!(rule.to_string().parse::<Rule>(), Ok(rule));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC*") {
            let _ = text.parse::<Rule>();
            let _ = text.parse::<ListenRule>();
            let _ = text.parse::<NamePattern>();
        }

        #[test]
        fn no_text_after_the_scheme_makes_the_parser_panic(text in "[]\\[a-f0-9.:/*-]{0,40}") {
            if let Ok(rule) = format!("tcp://{text}").parse::<Rule>() {
                prop_assert_eq!(rule.to_string().parse::<Rule>(), Ok(rule));
            }
        }
    }
}
