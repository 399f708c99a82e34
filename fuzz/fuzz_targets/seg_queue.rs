//! One queue against a `VecDeque`; what is compared is in `src/seg_queue.rs`.
#![no_main]

#[path = "../src/seg_queue.rs"]
mod seg_queue;

libfuzzer_sys::fuzz_target!(|data: &[u8]| seg_queue::run(data));
