//! Two threads use all of the library that needs neither `std` nor an allocator.
//!
//! Linked without either: what crept in would not link. Exits with 0 if all went well; a check that
//! fails says where on standard error and aborts, and a wait that never ends is ended by an alarm.
#![no_std]
#![no_main]

mod checks;

use core::ffi::{c_char, c_int, c_void};
use core::fmt::Write;
use core::panic::PanicInfo;
use core::ptr::{null, null_mut};

/// Seconds after which a wake-up is taken for lost.
const PATIENCE: u32 = 60;

/// Writes to standard error.
struct Errors;

impl Write for Errors {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        // SAFETY: pointer and length are those of `text`.
        unsafe { libc::write(2, text.as_ptr().cast(), text.len()) };
        Ok(())
    }
}

#[panic_handler]
fn panicked(info: &PanicInfo<'_>) -> ! {
    let _ = writeln!(Errors, "{info}");
    // SAFETY: ends the process.
    unsafe { libc::abort() }
}

/// What unwinding would ask for. Nobody unwinds here, but `core` was compiled as if somebody could,
/// and without optimization the linker finds that out too late.
// SAFETY: without `std` nobody else has a function of this name.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

extern "C" fn other_thread(_: *mut c_void) -> *mut c_void {
    checks::run(1);
    null_mut()
}

/// Where the C library begins.
// SAFETY: the one function of this name, as the C library declares it.
#[unsafe(no_mangle)]
extern "C" fn main(_: c_int, _: *const *const c_char) -> c_int {
    let mut thread = 0;
    // SAFETY: both pointers are to variables of this function, which outlive the calls; the thread
    // is joined once.
    unsafe {
        libc::alarm(PATIENCE);
        let started = libc::pthread_create(&raw mut thread, null(), other_thread, null_mut());
        assert_eq!(started, 0, "no second thread");
        checks::run(0);
        assert_eq!(libc::pthread_join(thread, null_mut()), 0, "not joined");
    }
    checks::at_the_end();
    0
}
