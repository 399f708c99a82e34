//! How everything here is measured, whatever it is that is measured.
//!
//! One idea a file, in the order in which a run meets them:
//!
//! | file             | idea                                                              |
//! |------------------|-------------------------------------------------------------------|
//! | [`options`]      | the command line                                                  |
//! | [`machine`]      | what the run ran on, for the header of its report                 |
//! | [`clock`]        | a clock that is cheap enough to read around one lock acquisition  |
//! | [`work`]         | busy work of a given length: critical sections and think times    |
//! | [`stage`]        | a crew of threads: seated, warmed, timed in windows, stopped      |
//! | [`usage`]        | CPU time and context switches of a thread                         |
//! | [`counter`]      | instructions and kernel events, where the machine counts them     |
//! | [`futex_calls`]  | futex calls of a thread, by kind                                  |
//! | [`sample`]       | what one peer did in one round                                    |
//! | [`noise`]        | was the machine quiet during a round?                             |
//! | [`round`]        | rounds: every peer in random order, until the floor is low enough |
//! | [`stats`]        | medians, intervals, fairness index, modes                         |
//! | [`verdict`]      | does a figure meet its bar, given the noise floor?                |
//! | [`report`]       | tables for people, losses included                                |
//! | [`journal`]      | one JSON line per peer and round, for programs                    |

pub mod clock;
pub mod counter;
pub mod futex_calls;
pub mod journal;
pub mod machine;
pub mod noise;
pub mod options;
pub mod report;
pub mod round;
pub mod sample;
pub mod stage;
pub mod stats;
pub mod usage;
pub mod verdict;
pub mod work;
