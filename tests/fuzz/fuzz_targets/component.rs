//! Any bytes as the program to run.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(
    init: fuzz::seeds::write(fuzz::component::seeds()),
    |program: &[u8]| fuzz::component::check(program)
);

#[cfg(not(fuzzing))]
fn main() {}
