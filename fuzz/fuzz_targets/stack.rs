//! `ArrayStack` and `TaggedStack` against a `Vec`; what is compared is in `src/stack.rs`.
#![no_main]

#[path = "../src/stack.rs"]
mod stack;

libfuzzer_sys::fuzz_target!(|data: &[u8]| stack::run(data));
