//! Runs the example `wait-for-data`: an open socket, and waiting for its data.

use crate::support::run;

#[test]
fn the_example_prints_what_the_references_does_and_needs_no_rule() {
    for name in ["wait-for-data", "wait-for-data-wit"] {
        let ended = run(&[], name, &[]).end();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(
            (ended.stdout.as_str(), ended.stderr.as_str()),
            ("Received: abc\n", "")
        );
    }
}
