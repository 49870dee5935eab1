//! The grammar of permissions, and their decisions.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(
    init: fuzz::seeds::write(fuzz::policy::SEEDS),
    |script: &str| fuzz::policy::check(script)
);

#[cfg(not(fuzzing))]
fn main() {}
