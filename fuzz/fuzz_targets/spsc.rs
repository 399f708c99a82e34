//! One queue against a `VecDeque`; what is compared is in `src/queues.rs`.
#![no_main]

#[path = "../src/queues.rs"]
mod queues;

libfuzzer_sys::fuzz_target!(|data: &[u8]| queues::ends(data));
