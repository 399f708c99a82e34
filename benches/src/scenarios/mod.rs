//! What the threads do, generic over whose lock they do it with.

pub mod adds;
pub mod bounded_buffer;
pub mod broadcast;
pub mod bypass;
pub mod contended;
pub mod meet;
pub mod notify;
pub mod permits;
pub mod ping_pong;
pub mod queue;
pub mod read_write;
pub mod reads;
pub mod solo;
pub mod stacks;
pub mod stream;
pub mod tasks;
pub mod wake;
