//! `BlockingQueue` against a `VecDeque`; what is compared is in `src/blocking_queue.rs`.
#![no_main]

#[path = "../src/blocking_queue.rs"]
mod blocking_queue;

libfuzzer_sys::fuzz_target!(|data: &[u8]| blocking_queue::run(data));
