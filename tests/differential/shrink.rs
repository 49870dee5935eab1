//! Makes a failing script shorter.

use std::time::{Duration, Instant};

use crate::compare::Uses;
use crate::run::{Bench, Failure};
use crate::script::Script;

const PATIENCE: Duration = Duration::from_secs(60);

/// Leaves out steps as long as the rest still fails. Returns the script, and how it
/// fails.
pub(crate) fn shrink(bench: &mut Bench, script: &Script, failure: &str) -> (Script, String) {
    let started = Instant::now();
    let mut fails = |script: &Script| match bench.check(script, &mut Uses::new()) {
        Err(Failure::Differs(how)) => Some(how),
        Ok(()) | Err(Failure::Impossible(_)) => None,
    };
    let Some(again) = fails(script) else {
        let once = format!("(not again when it was repeated)\n{failure}");
        return (script.clone(), once);
    };
    let (mut shortest, mut failure) = (script.clone(), again);
    let mut size = script.steps.len().div_ceil(2);
    while size > 0 {
        let mut start = 0;
        let mut shorter = false;
        while start < shortest.steps.len() && started.elapsed() < PATIENCE {
            let tried = shortest.only(|index, _| index < start || index >= start + size);
            match fails(&tried) {
                Some(found) => {
                    (shortest, failure, shorter) = (tried, found, true);
                }
                None => start += size,
            }
        }
        size = if shorter && size == 1 { 1 } else { size / 2 };
    }
    (shortest, failure)
}
