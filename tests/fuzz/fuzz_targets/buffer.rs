//! The receive buffer beside its model.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|steps: fuzz::buffer::Steps| steps.compare());

#[cfg(not(fuzzing))]
fn main() {}
