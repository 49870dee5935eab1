use proptest::prelude::*;

use super::super::{
    ADDRESS_GRAMMAR, Decision, DenyReason, ListenRule, Policy, PolicyRule, Rule, RuleProblem,
};
use super::*;

fn path(text: &str) -> UnixName {
    UnixName::path(text.as_bytes()).unwrap()
}

fn name(text: &str) -> UnixName {
    UnixName::abstract_name(text.as_bytes()).unwrap()
}

fn problem(text: &str) -> RuleProblem {
    text.parse::<Rule>().unwrap_err().problem().clone()
}

fn listen_problem(text: &str) -> RuleProblem {
    text.parse::<ListenRule>().unwrap_err().problem().clone()
}

fn connect(allow: &[&str], deny: &[&str], name: &UnixName) -> Decision {
    let mut policy = Policy::new();
    for rule in allow {
        policy.allow_connect(rule.parse().unwrap());
    }
    for rule in deny {
        policy.deny_connect(rule.parse().unwrap());
    }
    policy.decide_unix_connect(name)
}

fn listen(allow: &[&str], deny: &[&str], name: &UnixName) -> Result<u32, DenyReason> {
    let mut policy = Policy::new();
    for rule in allow {
        policy.allow_listen(rule.parse().unwrap());
    }
    for rule in deny {
        policy.deny_listen(rule.parse().unwrap());
    }
    policy.decide_unix_listen(name)
}

#[track_caller]
fn allows(rule: &str, name: &UnixName) {
    assert_eq!(connect(&[rule], &[], name), Decision::Allow, "{rule}");
    assert!(listen(&[rule], &[], name).is_ok(), "{rule}");
}

#[track_caller]
fn denies(rule: &str, name: &UnixName, reason: DenyReason) {
    let denied = Decision::Deny(reason.clone());
    assert_eq!(connect(&[rule], &[], name), denied, "{rule} {name}");
    assert_eq!(listen(&[rule], &[], name), Err(reason), "{rule} {name}");
}

#[test]
fn every_form_in_the_grammar_parses_and_shows_its_canonical_form() {
    for (text, canonical) in [
        ("unix:///run/db.sock", "unix:///run/db.sock"),
        ("unix:////run/./db.sock", "unix:///run/db.sock"),
        ("unix:///db.sock", "unix:///db.sock"),
        ("unix:///run/app/*.sock", "unix:///run/app/*.sock"),
        ("unix:///run/a**b*", "unix:///run/a*b*"),
        ("unix:///a%20b/%2a%2F%ff", "unix:///a%20b/%2A/%FF"),
        ("unix:///b\u{fc}cher", "unix:///b%C3%BCcher"),
        ("unix://@app", "unix://@app"),
        ("unix://@/org/app-*", "unix://@/org/app-*"),
        ("unix://@a%00b", "unix://@a%00b"),
        ("unix://@*", "unix://@*"),
    ] {
        assert_eq!(text.parse::<Rule>().unwrap().to_string(), canonical);
        assert_eq!(text.parse::<ListenRule>().unwrap().to_string(), canonical);
    }
    for (text, canonical) in [
        (
            "unix:///run/*.sock?mode=0660",
            "unix:///run/*.sock?mode=0660",
        ),
        (
            "unix:///run/*.sock?mode=666",
            "unix:///run/*.sock?mode=0666",
        ),
        ("unix:///run/a?mode=0", "unix:///run/a?mode=0000"),
        ("unix:///run/a?mode=0600", "unix:///run/a"),
    ] {
        assert_eq!(text.parse::<ListenRule>().unwrap().to_string(), canonical);
    }
}

#[test]
fn each_mistake_is_named() {
    for text in [
        "unix:",
        "unix:run",
        "unix://",
        "unix://run/a",
        "unix:/run/a",
    ] {
        assert_eq!(problem(text), RuleProblem::RelativePath, "{text}");
    }
    for text in ["unix:///a/../b", "unix:///..", "unix:///%2e%2E/a"] {
        assert_eq!(problem(text), RuleProblem::ParentFolder, "{text}");
    }
    for text in ["unix:///*/a", "unix:///run/a*/b*"] {
        assert_eq!(problem(text), RuleProblem::StarInFolder, "{text}");
    }
    for text in ["unix:///", "unix:///run/", "unix:///run/."] {
        assert_eq!(problem(text), RuleProblem::NoFile, "{text}");
    }
    for text in [
        "unix:///a%",
        "unix:///a%2",
        "unix:///a%+1",
        "unix://@%\u{fc}",
    ] {
        assert_eq!(problem(text), RuleProblem::Escape, "{text}");
    }
    assert_eq!(problem("unix:///a%00"), RuleProblem::ZeroByte);
    assert_eq!(problem("unix://@"), RuleProblem::EmptyName);
    assert_eq!(problem("unix:///a?b"), RuleProblem::Setting("b".into()));
    assert_eq!(problem("unix:///a?mode=0660"), RuleProblem::ModeInConnect);
    assert_eq!(
        listen_problem("unix:///a?b"),
        RuleProblem::Setting("b".into())
    );
    assert_eq!(
        listen_problem("unix://@a?mode=1"),
        RuleProblem::ModeWithoutFile
    );
    for mode in ["", "8", "+7", "01000", "rw", "0o660"] {
        let text = format!("unix:///a?mode={mode}");
        assert_eq!(listen_problem(&text), RuleProblem::Mode(mode.into()));
    }
}

#[test]
fn a_parse_error_shows_the_grammar_of_what_was_meant() {
    let error = "unix://run/a".parse::<Rule>().unwrap_err().to_string();
    assert!(error.contains("`unix://run/a`") && error.contains(UNIX_GRAMMAR));
    assert!(!error.contains(ADDRESS_GRAMMAR));
}

#[test]
fn without_rules_every_unix_socket_is_denied() {
    for name in [path("/run/a"), name("a")] {
        let denied = Decision::Deny(DenyReason::NoRule);
        assert_eq!(connect(&[], &[], &name), denied);
        assert_eq!(listen(&[], &[], &name), Err(DenyReason::NoRule));
        assert_eq!(connect(&["tcp://*:*"], &[], &name), denied);
        assert_eq!(listen(&["tcp://*:*"], &[], &name), Err(DenyReason::NoRule));
    }
}

#[test]
fn a_path_allows_this_path_only() {
    allows("unix:///run/a", &path("/run/a"));
    allows("unix:///run/a", &path("//run/.//a"));
    for other in ["/run/b", "/run/a/b", "/a", "/run/app/a", "/run"] {
        denies("unix:///run/a", &path(other), DenyReason::NoRule);
    }
    denies("unix:///run/a", &name("/run/a"), DenyReason::NoRule);
    allows("unix:///a", &path("/a"));
}

#[test]
fn a_star_stays_in_its_folder() {
    allows("unix:///run/app/*.sock", &path("/run/app/a.sock"));
    allows("unix:///run/app/*", &path("/run/app/..."));
    for other in [
        "/run/app/sub/a.sock",
        "/run/a.sock",
        "/run/app/a.sock.old",
        "/run/application/a.sock",
    ] {
        denies("unix:///run/app/*.sock", &path(other), DenyReason::NoRule);
    }
}

#[test]
fn no_rule_allows_a_path_with_a_parent_folder() {
    for way in ["/run/app/../a", "/run/app/..", "/../run/app/a"] {
        denies("unix:///run/app/*", &path(way), DenyReason::ParentFolder);
    }
    allows("unix://@*", &name("/run/../a"));
}

#[test]
fn abstract_names_need_rules_of_their_own() {
    allows("unix://@app-*", &name("app-1"));
    denies("unix://@app-*", &name("app"), DenyReason::NoRule);
    denies("unix://@*", &path("/run/a"), DenyReason::NoRule);
    denies("unix:///*", &name("/a"), DenyReason::NoRule);
}

#[test]
fn a_deny_rule_wins_over_an_allow_rule_and_is_named() {
    let (allow, deny) = (["unix:///run/*"], ["unix:///run/docker.sock"]);
    assert_eq!(connect(&allow, &deny, &path("/run/a")), Decision::Allow);
    assert_eq!(
        connect(&allow, &deny, &path("/run/docker.sock")),
        Decision::Deny(DenyReason::DenyRule(PolicyRule::Connect(
            deny[0].parse().unwrap()
        )))
    );
    assert_eq!(
        listen(&allow, &deny, &path("/run/docker.sock")),
        Err(DenyReason::DenyRule(PolicyRule::Listen(
            deny[0].parse().unwrap()
        )))
    );
}

#[test]
fn a_rule_for_connecting_allows_no_listening_and_the_other_way_round() {
    let mut policy = Policy::new();
    policy.allow_connect("unix:///run/a".parse().unwrap());
    assert!(policy.decide_unix_listen(&path("/run/a")).is_err());
    let mut policy = Policy::new();
    policy.allow_listen("unix:///run/a".parse().unwrap());
    assert_ne!(policy.decide_unix_connect(&path("/run/a")), Decision::Allow);
}

#[test]
fn the_first_rule_that_covers_a_file_says_its_mode() {
    let rules = ["unix:///run/a?mode=0660", "unix:///run/*"];
    assert_eq!(listen(&rules, &[], &path("/run/a")), Ok(0o660));
    assert_eq!(listen(&rules, &[], &path("/run/b")), Ok(DEFAULT_MODE));
    assert_eq!(DEFAULT_MODE, 0o600);
}

/// Names as a guest may choose them.
fn any_name() -> impl Strategy<Value = UnixName> {
    let bytes = || prop::collection::vec(any::<u8>(), 1..30);
    prop_oneof![
        bytes().prop_filter_map("no path", |bytes| {
            UnixName::path(&[b"/", bytes.as_slice()].concat()).ok()
        }),
        "(/[ab*.]{1,3}){1,4}"
            .prop_filter_map("no path", |text| { UnixName::path(text.as_bytes()).ok() }),
        bytes().prop_map(|bytes| UnixName::abstract_name(&bytes).unwrap()),
    ]
}

proptest! {
    #[test]
    fn what_a_name_shows_is_the_rule_that_allows_it(name in any_name()) {
        let shown = name.to_string();
        prop_assert!(shown.bytes().all(|byte| byte.is_ascii_graphic()));
        if name.has_parent_folder() {
            prop_assert_eq!(problem(&shown), RuleProblem::ParentFolder);
        } else {
            allows(&shown, &name);
        }
    }

    #[test]
    fn what_a_rule_shows_parses_to_the_same_rule(
        place in "(/?@?[a-c*%.2f/-]{0,12}|(/[ab.*%2f]{1,4}){1,3})",
        mode in prop::option::of(0..=0o777_u32),
    ) {
        let text = format!("unix://{place}");
        if let Ok(rule) = text.parse::<Rule>() {
            prop_assert_eq!(rule.to_string().parse::<Rule>(), Ok(rule));
        }
        let mode = mode.map(|mode| format!("?mode={mode:o}")).unwrap_or_default();
        if let Ok(rule) = format!("{text}{mode}").parse::<ListenRule>() {
            prop_assert_eq!(rule.to_string().parse::<ListenRule>(), Ok(rule));
        }
    }

    #[test]
    fn no_text_after_the_scheme_makes_the_parser_panic(text in "\\PC{0,20}") {
        let _ = format!("unix://{text}").parse::<Rule>();
        let _ = format!("unix:///{text}").parse::<ListenRule>();
    }
}
