//! Channels against a `VecDeque`; what is compared is in `src/channel.rs`.
#![no_main]

#[path = "../src/channel.rs"]
mod channel;

libfuzzer_sys::fuzz_target!(|data: &[u8]| channel::run(data));
