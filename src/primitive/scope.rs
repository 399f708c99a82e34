//! Who may sleep on a word: the threads of one process, or every process that maps it.

#![allow(unreachable_pub, reason = "named by types that are public in the model build")]

/// Marks a word that only this process uses: the kernel keys it by address, which is cheaper.
#[derive(Debug)]
pub enum Private {}

/// Marks a word in memory that several processes map: the kernel keys it by page and offset.
#[cfg_attr(not(test), allow(dead_code, reason = "the process-shared locks build on it"))]
#[derive(Debug)]
pub enum ProcessShared {}

/// [`Private`] or [`ProcessShared`]. Sealed: the word layouts depend on there being two.
pub trait Scope: sealed::Sealed + 'static {
    /// Whether other processes may sleep on the word.
    const SHARED: bool;
}

impl Scope for Private {
    const SHARED: bool = false;
}

impl Scope for ProcessShared {
    const SHARED: bool = true;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Private {}
    impl Sealed for super::ProcessShared {}
}
