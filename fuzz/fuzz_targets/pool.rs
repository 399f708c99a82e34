//! `ThreadPool`, with an account of every task; what is checked is in `src/pool.rs`.
#![no_main]

#[path = "../src/pool.rs"]
mod pool;

libfuzzer_sys::fuzz_target!(|data: &[u8]| pool::run(data));
