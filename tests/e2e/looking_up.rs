//! Looking names up: `getaddrinfo`.

use crate::support::{Ended, run};

const FORMS: [&str; 2] = ["", "-wit"];

fn looks_up(flags: &[&str], form: &str, words: &[&str]) -> Ended {
    run(flags, &format!("looks-up{form}"), words).end()
}

#[test]
fn addresses_and_no_host_are_those_that_a_connection_tries() {
    let expected = [
        ("127.0.0.1,80", "[127.0.0.1:80]"),
        ("::1,http", "[[::1]:80]"),
        ("-,80", "[[::1]:80, 127.0.0.1:80]"),
        ("-,80,ipv4", "[127.0.0.1:80]"),
        ("-,80,passive", "[[::]:80, 0.0.0.0:80]"),
        ("-,80,passive,ipv6", "[[::]:80]"),
    ];
    for form in FORMS {
        let words = expected.map(|(word, _)| word);
        let ended = looks_up(&[], form, &words);
        let lines = expected.map(|(word, found)| format!("{word}: {found}\n"));
        assert_eq!(ended.stdout, lines.concat(), "{ended:?}");
    }
}

#[test]
fn localhost_is_looked_up_where_its_address_is_allowed() {
    for form in FORMS {
        let flags = ["--allow-connect", "tcp://127.0.0.1:80"];
        let ended = looks_up(&flags, form, &["localhost,80,ipv4"]);
        assert_eq!(ended.stdout, "localhost,80,ipv4: [127.0.0.1:80]\n");
    }
}

#[test]
fn a_look_up_that_no_rule_allows_is_denied_and_the_host_names_the_flag() {
    for form in FORMS {
        let ended = looks_up(&[], form, &["name.invalid,80"]);
        assert!(ended.stdout.contains("denied by the host"), "{ended:?}");
        let flag = "--allow-resolve name.invalid";
        assert!(ended.stderr.contains(flag), "{ended:?}");
    }
}

#[test]
fn arguments_that_cannot_be_looked_up_are_refused_and_say_why() {
    let expected = [
        ("localhost,80,numeric", "lookup of \"localhost\""),
        ("127.0.0.1,80,ipv6", "lookup of \"127.0.0.1\""),
        (",80", "lookup of \"\""),
        ("127.0.0.1,no-such-service", "no-such-service"),
        ("127.0.0.1,80,udp", "protocol 17 is neither 0 nor 6 (TCP)"),
        ("127.0.0.1,80,limit", "leave them out to look up"),
    ];
    for form in FORMS {
        let words = expected.map(|(word, _)| word);
        let ended = looks_up(&[], form, &words);
        let lines: Vec<&str> = ended.stdout.lines().collect();
        assert_eq!(lines.len(), expected.len(), "{ended:?}");
        for (line, (word, part)) in lines.into_iter().zip(expected) {
            let error = line.strip_prefix(word).unwrap_or_default();
            assert!(error.contains(part), "{line:?} lacks {part:?}");
        }
    }
}
