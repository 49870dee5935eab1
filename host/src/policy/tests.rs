use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use super::*;

/// Connect rules, and what was looked up a moment ago.
struct Connect {
    policy: Policy,
    grants: Grants,
    now: Instant,
}

impl Connect {
    fn new(rules: &[&str]) -> Self {
        let mut policy = Policy::new();
        for rule in rules {
            policy.allow_connect(rule.parse().unwrap());
        }
        Self {
            policy,
            grants: Grants::default(),
            now: Instant::now(),
        }
    }

    fn deny(mut self, rule: &str) -> Self {
        self.policy.deny_connect(rule.parse().unwrap());
        self
    }

    fn looked_up(mut self, name: &str, address: &str) -> Self {
        let name = name.parse().unwrap();
        if self.policy.grants_by_name(&name) {
            self.grants
                .record(&name, &[address.parse().unwrap()], self.now);
        }
        self
    }

    fn to(&self, address: &str) -> Decision {
        let address = address.parse().unwrap();
        self.policy
            .decide(Use::Connect, address, &self.grants, self.now)
    }

    #[track_caller]
    fn allows(&self, address: &str) {
        assert_eq!(self.to(address), Decision::Allow, "{address}");
    }

    #[track_caller]
    fn denies(&self, address: &str, label: &str) {
        match self.to(address) {
            Decision::Deny(reason) => assert_eq!(reason.label(), label, "{address}"),
            Decision::Allow => panic!("{address} was allowed"),
        }
    }
}

fn listen(rules: &[&str], address: &str) -> Decision {
    let mut policy = Policy::new();
    for rule in rules {
        policy.allow_listen(rule.parse().unwrap());
    }
    let address: SocketAddr = address.parse().unwrap();
    let now = Instant::now();
    let bind = policy.decide(Use::Bind, address, &Grants::default(), now);
    let listen = policy.decide(Use::Listen, address, &Grants::default(), now);
    assert_eq!(bind, listen);
    bind
}

#[track_caller]
fn listens(rule: &str, address: &str) {
    assert_eq!(
        listen(&[rule], address),
        Decision::Allow,
        "{rule} {address}"
    );
}

#[track_caller]
fn does_not_listen(rule: &str, address: &str, label: &str) {
    match listen(&[rule], address) {
        Decision::Deny(reason) => assert_eq!(reason.label(), label, "{rule} {address}"),
        Decision::Allow => panic!("{rule} allowed {address}"),
    }
}

fn resolves(policy: &Policy, name: &str) -> bool {
    policy.decide_lookup(&name.parse().unwrap()) == Decision::Allow
}

#[test]
fn without_rules_everything_is_denied() {
    Connect::new(&[]).denies("1.1.1.1:80", "no-rule");
    Connect::new(&[]).denies("127.0.0.1:80", "no-rule");
    assert_eq!(
        listen(&[], "127.0.0.1:0"),
        Decision::Deny(DenyReason::NoRule)
    );
    assert!(!resolves(&Policy::new(), "a.example"));
}

#[test]
fn an_address_rule_allows_this_address_and_port_only() {
    let policy = Connect::new(&["tcp://10.0.0.1:80"]);
    policy.allows("10.0.0.1:80");
    policy.denies("10.0.0.1:81", "other-port");
    policy.denies("10.0.0.2:80", "no-rule");
}

#[test]
fn an_ipv6_rule_allows_this_address_whatever_its_zone() {
    let policy = Connect::new(&["tcp://[fe80::1]:80"]);
    policy.allows("[fe80::1]:80");
    policy.allows("[fe80::1%3]:80");
    policy.denies("[fe80::2]:80", "no-rule");
}

#[test]
fn an_ipv4_mapped_address_is_its_ipv4_address() {
    Connect::new(&["tcp://10.0.0.1:80"]).allows("[::ffff:10.0.0.1]:80");
    Connect::new(&["tcp://[::ffff:10.0.0.1]:80"]).allows("10.0.0.1:80");
    Connect::new(&["tcp://*:80"]).denies("[::ffff:10.0.0.1]:80", "special-range");
    listens("tcp://127.0.0.1:80", "[::ffff:127.0.0.1]:80");
}

#[test]
fn a_port_range_covers_both_its_ends() {
    let policy = Connect::new(&["tcp://1.1.1.1:8000-8999"]);
    policy.allows("1.1.1.1:8000");
    policy.allows("1.1.1.1:8999");
    policy.denies("1.1.1.1:7999", "other-port");
    policy.denies("1.1.1.1:9000", "other-port");
}

#[test]
fn a_star_for_a_port_covers_every_port() {
    let policy = Connect::new(&["tcp://1.1.1.1:*"]);
    policy.allows("1.1.1.1:1");
    policy.allows("1.1.1.1:65535");
}

#[test]
fn a_star_for_a_host_covers_public_addresses_and_no_special_ones() {
    let policy = Connect::new(&["tcp://*:80"]);
    policy.allows("1.1.1.1:80");
    policy.allows("[2606:4700::1111]:80");
    for address in [
        "127.0.0.1:80",
        "[::1]:80",
        "10.0.0.1:80",
        "192.168.1.1:80",
        "169.254.1.1:80",
        "169.254.169.254:80",
        "[fe80::1]:80",
        "[fd00::1]:80",
        "100.64.0.1:80",
        "[64:ff9b::7f00:1]:80",
    ] {
        policy.denies(address, "special-range");
    }
}

#[test]
fn a_network_covers_its_addresses_and_no_others() {
    let policy = Connect::new(&["tcp://1.2.0.0/16:80"]);
    policy.allows("1.2.3.4:80");
    policy.denies("1.3.0.0:80", "no-rule");
    policy.denies("1.2.3.4:81", "other-port");
}

#[test]
fn a_network_within_a_special_range_covers_it() {
    Connect::new(&["tcp://127.0.0.0/8:80"]).allows("127.0.0.1:80");
    Connect::new(&["tcp://10.1.0.0/16:80"]).allows("10.1.2.3:80");
    Connect::new(&["tcp://[fd00::/8]:80"]).allows("[fd00::1]:80");
}

#[test]
fn a_network_around_a_special_range_does_not_cover_it() {
    let policy = Connect::new(&["tcp://0.0.0.0/0:80", "tcp://[::/0]:80"]);
    policy.allows("1.1.1.1:80");
    policy.denies("127.0.0.1:80", "special-range");
    policy.denies("10.0.0.1:80", "special-range");
    policy.denies("[::1]:80", "special-range");
}

#[test]
fn cloud_metadata_needs_a_rule_with_its_very_address() {
    let address = "169.254.169.254:80";
    Connect::new(&["tcp://169.254.0.0/16:80"]).denies(address, "special-range");
    Connect::new(&["tcp://169.254.0.0/16:80"]).allows("169.254.1.1:80");
    Connect::new(&["tcp://169.254.169.254:80"]).allows(address);
}

#[test]
fn a_name_rule_allows_what_the_name_resolved_to_on_its_ports() {
    let policy = Connect::new(&["tcp://a.example:443"]).looked_up("a.example", "1.1.1.1");
    policy.allows("1.1.1.1:443");
    policy.denies("1.1.1.1:80", "other-port");
    policy.denies("1.1.1.2:443", "no-rule");
}

#[test]
fn a_name_rule_allows_nothing_before_the_look_up() {
    Connect::new(&["tcp://a.example:443"]).denies("1.1.1.1:443", "no-rule");
}

#[test]
fn the_look_up_of_another_name_grants_nothing() {
    Connect::new(&["tcp://a.example:443"])
        .looked_up("b.example", "1.1.1.1")
        .denies("1.1.1.1:443", "no-rule");
}

#[test]
fn a_suffix_rule_allows_names_below_it_and_not_itself() {
    let policy = || Connect::new(&["tcp://*.example.com:443"]);
    policy()
        .looked_up("a.b.example.com", "1.1.1.1")
        .allows("1.1.1.1:443");
    policy()
        .looked_up("example.com", "1.1.1.1")
        .denies("1.1.1.1:443", "no-rule");
    policy()
        .looked_up("badexample.com", "1.1.1.1")
        .denies("1.1.1.1:443", "no-rule");
}

#[test]
fn a_grant_ends_with_its_lifetime() {
    let mut policy = Connect::new(&["tcp://a.example:443"]).looked_up("a.example", "1.1.1.1");
    policy.now += GRANT_LIFETIME;
    policy.denies("1.1.1.1:443", "expired");
    policy = policy.looked_up("a.example", "1.1.1.1");
    policy.allows("1.1.1.1:443");
}

#[test]
fn a_name_that_resolves_to_a_special_address_does_not_open_it() {
    for address in [
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "::1",
        "fd00::1",
        "0.0.0.0",
    ] {
        let policy = Connect::new(&["tcp://evil.example:80"]).looked_up("evil.example", address);
        let ip: IpAddr = address.parse().unwrap();
        let private = matches!(address, "10.0.0.1" | "fd00::1");
        let label = if private {
            "private-address"
        } else {
            "special-range"
        };
        policy.denies(&SocketAddr::new(ip, 80).to_string(), label);
    }
}

#[test]
fn a_name_rule_that_says_private_covers_private_addresses_and_no_other_special_ones() {
    for (address, label) in [
        ("172.18.0.2", None),
        ("100.64.0.1", None),
        ("fd12::1", None),
        ("1.1.1.1", None),
        ("127.0.0.1", Some("special-range")),
        ("169.254.1.1", Some("special-range")),
        ("169.254.169.254", Some("special-range")),
        ("100.100.100.200", Some("special-range")),
        ("fd00:ec2::254", Some("special-range")),
    ] {
        let policy = Connect::new(&["tcp://redis:6379?private"]).looked_up("redis", address);
        let ip: IpAddr = address.parse().unwrap();
        let target = SocketAddr::new(ip, 6379).to_string();
        match label {
            None => policy.allows(&target),
            Some(label) => policy.denies(&target, label),
        }
    }
    let other = Connect::new(&["tcp://redis:6379?private"]).looked_up("redis", "172.18.0.2");
    other.denies("172.18.0.3:6379", "no-rule");
    other.denies("172.18.0.2:80", "other-port");
}

#[test]
fn a_denied_ipv4_address_is_denied_inside_an_ipv6_address() {
    let policy = Connect::new(&["tcp://*:80", "tcp://[::/0]:80"]).deny("tcp://1.2.3.4:80");
    for address in [
        "1.2.3.4",
        "[::ffff:1.2.3.4]",
        "[64:ff9b::1.2.3.4]",
        "[64:ff9b:1::1.2.3.4]",
        "[64:ff9b:1:102:3:400::]",
        "[2002:102:304::1]",
        "[2606:4700::5efe:1.2.3.4]",
        "[2606:4700::200:5efe:1.2.3.4]",
        "[2001:0:102:304::1]",
        "[2001:0:101:101::fefd:fcfb]",
        "[::ffff:0:1.2.3.4]",
        "[::1.2.3.4]",
    ] {
        policy.denies(&format!("{address}:80"), "deny-rule");
    }
    policy.allows("1.2.3.5:80");
    policy.allows("[64:ff9b::1.2.3.5]:80");
    policy.allows("[2606:4700::1]:80");
}

#[test]
fn a_deny_rule_with_a_name_denies_its_ipv4_address_inside_an_ipv6_address() {
    Connect::new(&["tcp://*:80"])
        .deny("tcp://evil.example:80")
        .looked_up("evil.example", "1.2.3.4")
        .denies("[64:ff9b::1.2.3.4]:80", "deny-rule");
}

#[test]
fn a_special_address_behind_a_name_is_opened_by_a_rule_of_its_own() {
    Connect::new(&["tcp://db.internal:5432", "tcp://10.0.0.0/8:5432"])
        .looked_up("db.internal", "10.1.2.3")
        .allows("10.1.2.3:5432");
}

#[test]
fn localhost_opens_loopback_addresses_and_no_other_special_ones() {
    let policy = || Connect::new(&["tcp://localhost:80"]);
    policy()
        .looked_up("localhost", "127.0.0.1")
        .allows("127.0.0.1:80");
    policy().looked_up("localhost", "::1").allows("[::1]:80");
    policy()
        .looked_up("localhost", "10.0.0.1")
        .denies("10.0.0.1:80", "private-address");
    Connect::new(&["tcp://*.localhost:80"])
        .looked_up("app.localhost", "127.0.0.1")
        .allows("127.0.0.1:80");
}

#[test]
fn a_star_does_not_open_loopback_through_the_name_localhost() {
    Connect::new(&["tcp://*:80"])
        .looked_up("localhost", "127.0.0.1")
        .denies("127.0.0.1:80", "special-range");
}

#[test]
fn a_deny_rule_wins_over_an_allow_rule() {
    let policy = Connect::new(&["tcp://*:*"])
        .deny("tcp://*:25")
        .deny("tcp://1.2.0.0/16:*");
    policy.allows("1.1.1.1:80");
    policy.denies("1.1.1.1:25", "deny-rule");
    policy.denies("1.2.3.4:80", "deny-rule");
}

#[test]
fn a_deny_rule_with_a_name_denies_what_the_name_resolved_to() {
    Connect::new(&["tcp://*:*"])
        .deny("tcp://bad.example:*")
        .looked_up("bad.example", "1.1.1.1")
        .denies("1.1.1.1:80", "deny-rule");
}

#[test]
fn a_rule_that_denies_a_name_is_bypassed_by_one_that_opens_addresses_on_its_ports() {
    for (allow, deny, bypassed) in [
        ("tcp://*:443", "tcp://evil.example:443", true),
        ("tcp://*:*", "tcp://*.evil.example:1-9", true),
        ("tcp://0.0.0.0/0:440-450", "tcp://evil.example:443", true),
        (
            "tcp://0.0.0.0/0:440-450",
            "tcp://evil.example:450-460",
            true,
        ),
        (
            "tcp://0.0.0.0/0:440-450",
            "tcp://evil.example:451-460",
            false,
        ),
        ("tcp://*:80", "tcp://evil.example:443", false),
        ("tcp://*.example:443", "tcp://evil.example:443", false),
        ("tcp://*:443", "tcp://1.2.3.4:443", false),
    ] {
        let policy = Connect::new(&[allow]).deny(deny).policy;
        assert_eq!(
            !policy.bypassed_denials().is_empty(),
            bypassed,
            "{allow} {deny}"
        );
    }
}

#[test]
fn a_listen_rule_allows_binding_and_listening_there_and_nowhere_else() {
    listens("tcp://127.0.0.1:8888", "127.0.0.1:8888");
    does_not_listen("tcp://127.0.0.1:8888", "127.0.0.1:8889", "other-port");
    does_not_listen("tcp://127.0.0.1:8888", "127.0.0.2:8888", "no-rule");
}

#[test]
fn a_connect_rule_allows_no_explicit_bind() {
    let policy = Connect::new(&["tcp://127.0.0.1:80"]);
    let address = "127.0.0.1:80".parse().unwrap();
    for usage in [Use::Bind, Use::Listen] {
        let decision = policy
            .policy
            .decide(usage, address, &policy.grants, policy.now);
        assert_eq!(decision, Decision::Deny(DenyReason::NoRule));
    }
}

#[test]
fn a_listen_rule_allows_no_connecting() {
    let mut policy = Connect::new(&[]);
    policy.policy.allow_listen("tcp://*:*".parse().unwrap());
    policy.denies("127.0.0.1:80", "no-rule");
}

#[test]
fn port_zero_needs_a_rule_that_names_it_or_a_star() {
    listens("tcp://127.0.0.1:0", "127.0.0.1:0");
    listens("tcp://127.0.0.1:*", "127.0.0.1:0");
    does_not_listen("tcp://127.0.0.1:80", "127.0.0.1:0", "other-port");
    does_not_listen("tcp://127.0.0.1:8000-8999", "127.0.0.1:0", "other-port");
    does_not_listen("tcp://127.0.0.1:0", "127.0.0.1:80", "other-port");
}

#[test]
fn listening_without_a_bind_needs_a_rule_for_the_unspecified_address() {
    listens("tcp://0.0.0.0:0", "0.0.0.0:0");
    listens("tcp://[::]:0", "[::]:0");
    does_not_listen("tcp://127.0.0.1:0", "0.0.0.0:0", "no-rule");
}

#[test]
fn all_interfaces_need_a_rule_that_names_exactly_that_or_a_star() {
    listens("tcp://0.0.0.0:80", "0.0.0.0:80");
    listens("tcp://*:80", "0.0.0.0:80");
    listens("tcp://*:80", "[::]:80");
    does_not_listen("tcp://0.0.0.0/0:80", "0.0.0.0:80", "no-rule");
    does_not_listen("tcp://0.0.0.0:80", "[::]:80", "no-rule");
    does_not_listen("tcp://localhost:80", "0.0.0.0:80", "no-rule");
}

#[test]
fn a_rule_for_all_interfaces_does_not_cover_a_single_one() {
    does_not_listen("tcp://0.0.0.0:80", "127.0.0.1:80", "no-rule");
}

#[test]
fn localhost_listens_on_loopback_only() {
    listens("tcp://localhost:80", "127.0.0.1:80");
    listens("tcp://localhost:80", "[::1]:80");
    does_not_listen("tcp://localhost:80", "10.0.0.1:80", "no-rule");
}

#[test]
fn a_network_listens_on_its_addresses() {
    listens("tcp://10.0.0.0/8:80", "10.0.0.1:80");
    does_not_listen("tcp://10.0.0.0/8:80", "127.0.0.1:80", "no-rule");
}

fn sharing(allow: &str, deny: Option<&str>, address: &str) -> Decision {
    let mut policy = Policy::new();
    policy.allow_listen(allow.parse().unwrap());
    if let Some(rule) = deny {
        policy.deny_listen(rule.parse().unwrap());
    }
    let (address, grants) = (address.parse().unwrap(), Grants::default());
    policy.decide(Use::Share, address, &grants, Instant::now())
}

#[test]
fn a_port_is_shared_only_where_a_rule_names_it() {
    for rule in ["127.0.0.1:80", "127.0.0.0/8:80", "localhost:80", "*:80"] {
        let rule = format!("tcp://{rule}");
        assert_eq!(sharing(&rule, None, "127.0.0.1:80"), Decision::Allow);
    }
    for (rule, reason) in [
        ("127.0.0.1:*", DenyReason::SharedPort),
        ("127.0.0.1:80-81", DenyReason::SharedPort),
        ("*:*", DenyReason::SharedPort),
        ("127.0.0.1:81", DenyReason::OtherPort(None)),
        ("127.0.0.2:80", DenyReason::NoRule),
    ] {
        let rule = format!("tcp://{rule}");
        assert_eq!(sharing(&rule, None, "127.0.0.1:80"), Decision::Deny(reason));
    }
    let denied = sharing(
        "tcp://127.0.0.1:80",
        Some("tcp://127.0.0.1:1-1024"),
        "127.0.0.1:80",
    );
    assert!(matches!(denied, Decision::Deny(DenyReason::DenyRule(_))));
}

#[test]
fn a_denied_listen_wins_over_an_allowed_one() {
    let mut policy = Policy::new();
    policy.allow_listen("tcp://*:*".parse().unwrap());
    policy.deny_listen("tcp://127.0.0.1:22".parse().unwrap());
    let decide = |address: &str| {
        policy.decide(
            Use::Bind,
            address.parse().unwrap(),
            &Grants::default(),
            Instant::now(),
        )
    };
    assert_eq!(decide("127.0.0.1:80"), Decision::Allow);
    assert_ne!(decide("127.0.0.1:22"), Decision::Allow);
}

#[test]
fn all_interfaces_are_denied_where_one_of_their_addresses_is() {
    for (deny, all, other) in [
        ("tcp://127.0.0.1:22", "0.0.0.0:22", "[::]:22"),
        ("tcp://10.0.0.0/8:22", "0.0.0.0:22", "[::]:22"),
        ("tcp://[::1]:22", "[::]:22", "0.0.0.0:22"),
        ("tcp://[fd00::/8]:1-100", "[::]:22", "0.0.0.0:22"),
    ] {
        let mut policy = Policy::new();
        policy.allow_listen("tcp://*:*".parse().unwrap());
        policy.deny_listen(deny.parse().unwrap());
        for usage in [Use::Bind, Use::Listen] {
            let decide = |address: &str| {
                let address = address.parse().unwrap();
                policy.decide(usage, address, &Grants::default(), Instant::now())
            };
            assert_ne!(decide(all), Decision::Allow, "{deny}");
            assert_eq!(decide(other), Decision::Allow, "{deny}");
            assert_eq!(decide("0.0.0.0:2222"), Decision::Allow, "{deny}");
        }
    }
    for name in ["tcp://localhost:22", "tcp://*:22"] {
        let mut policy = Policy::new();
        policy.allow_listen("tcp://*:*".parse().unwrap());
        policy.deny_listen(name.parse().unwrap());
        for all in ["0.0.0.0:22", "[::]:22"] {
            let all = all.parse().unwrap();
            let decision = policy.decide(Use::Bind, all, &Grants::default(), Instant::now());
            assert_ne!(decision, Decision::Allow, "{name}");
        }
    }
}

#[test]
fn a_resolve_rule_allows_the_look_up_and_no_connecting() {
    let mut policy = Connect::new(&[]);
    policy.policy.allow_resolve("a.example".parse().unwrap());
    assert!(resolves(&policy.policy, "A.example."));
    assert!(!resolves(&policy.policy, "b.example"));
    policy
        .looked_up("a.example", "1.1.1.1")
        .denies("1.1.1.1:80", "no-rule");
}

#[test]
fn a_resolve_rule_with_a_suffix_or_a_star_covers_what_it_says() {
    let mut policy = Policy::new();
    policy.allow_resolve("*.example.com".parse().unwrap());
    assert!(resolves(&policy, "a.example.com"));
    assert!(!resolves(&policy, "example.com"));
    policy.allow_resolve("*".parse().unwrap());
    assert!(resolves(&policy, "example.com"));
}

#[test]
fn a_connect_rule_with_a_name_allows_its_look_up_and_one_with_an_address_none() {
    assert!(resolves(
        &Connect::new(&["tcp://a.example:80"]).policy,
        "a.example"
    ));
    assert!(!resolves(
        &Connect::new(&["tcp://a.example:80"]).policy,
        "b.example"
    ));
    assert!(resolves(
        &Connect::new(&["tcp://*.example:80"]).policy,
        "b.example"
    ));
    assert!(resolves(&Connect::new(&["tcp://*:80"]).policy, "b.example"));
    assert!(!resolves(
        &Connect::new(&["tcp://0.0.0.0/0:80"]).policy,
        "b.example"
    ));
}

#[test]
fn localhost_needs_no_rule_for_its_look_up_and_a_listen_rule_allows_no_other() {
    let mut policy = Policy::new();
    policy.allow_listen("tcp://*:80".parse().unwrap());
    for name in ["localhost", "app.localhost"] {
        assert!(resolves(&Policy::new(), name));
    }
    assert!(!resolves(&policy, "a.example"));
    policy.deny_resolve("localhost".parse().unwrap());
    assert!(!resolves(&policy, "localhost"));
}

#[test]
fn a_rule_covers_the_loopback_addresses_that_it_names() {
    let covers = |connect: &[&str], listen: &[&str]| {
        let mut policy = Policy::new();
        for rule in connect {
            policy.allow_connect(rule.parse().unwrap());
        }
        for rule in listen {
            policy.allow_listen(rule.parse().unwrap());
        }
        ["127.0.0.1", "::1"].map(|ip| policy.covers_loopback(ip.parse().unwrap()))
    };
    assert_eq!(covers(&["tcp://*:*"], &["tcp://10.0.0.1:1"]), [false; 2]);
    assert_eq!(covers(&["tcp://127.0.0.1:1"], &[]), [true, false]);
    assert_eq!(covers(&["tcp://localhost:1"], &[]), [true; 2]);
    assert_eq!(covers(&["tcp://*.localhost:1"], &[]), [true; 2]);
    assert_eq!(covers(&[], &["tcp://[::1]:1"]), [false, true]);
    assert_eq!(covers(&[], &["tcp://*:1"]), [true; 2]);
}

#[test]
fn a_denied_look_up_wins_over_an_allowed_one() {
    let mut policy = Policy::new();
    policy.allow_resolve("*".parse().unwrap());
    policy.deny_resolve("*.internal".parse().unwrap());
    assert!(resolves(&policy, "a.example"));
    assert!(!resolves(&policy, "db.internal"));
}

#[test]
fn the_machines_own_addresses_and_its_links_need_a_rule_with_the_address() {
    let local: LocalNetworks = ["93.184.215.14/28", "2606:2800:21f::1/64", "1.2.3.4/0"]
        .iter()
        .map(|own| own.parse::<ipnet::IpNet>().unwrap())
        .collect();
    let name: HostName = "example.com".parse().unwrap();
    let now = Instant::now();
    let mut grants = Grants::default();
    let decide = |rule: &str, grants: &Grants, address: &str| {
        let mut policy = Policy::new();
        policy.allow_connect(rule.parse().unwrap());
        policy.decide(Use::Connect, address.parse().unwrap(), grants, now)
    };
    let addresses = [
        ("93.184.215.14", Special::OwnAddress),
        ("93.184.215.1", Special::OnLink),
        ("2606:2800:21f::1", Special::OwnAddress),
        ("2606:2800:21f::2", Special::OnLink),
    ];
    for (address, class) in addresses {
        let ip: IpAddr = address.parse().unwrap();
        let target = SocketAddr::from((ip, 443)).to_string();
        grants.record(&name, &[ip], now);
        for rule in [
            "tcp://*:443",
            "tcp://example.com:443",
            "tcp://example.com:443?private",
        ] {
            grants.set_local(Arc::default());
            assert_eq!(
                decide(rule, &grants, &target),
                Decision::Allow,
                "{rule} {target}"
            );
            grants.set_local(Arc::new(local.clone()));
            let denied = Decision::Deny(DenyReason::Special(class));
            assert_eq!(decide(rule, &grants, &target), denied, "{rule} {target}");
        }
        let own = format!("tcp://{target}");
        assert_eq!(decide(&own, &grants, &target), Decision::Allow, "{target}");
    }
    let outside = "93.184.215.99:443";
    assert_eq!(decide("tcp://*:443", &grants, outside), Decision::Allow);
    let link = decide("tcp://93.184.215.0/28:443", &grants, "93.184.215.1:443");
    assert_eq!(link, Decision::Allow, "a rule for the link");
    let wider = decide("tcp://93.184.0.0/16:443", &grants, "93.184.215.1:443");
    assert_eq!(wider, Decision::Deny(DenyReason::Special(Special::OnLink)));
}
