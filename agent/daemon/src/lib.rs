//! The agent as a service: wiring, the one loop, the local HTTP API.
//!
//! **Invariant:** no rule about deployments stands here: the engine decides, the host acts.
//! **Invariant:** the transaction runs on one thread, so that its system calls come in one order.

pub mod arguments;
pub mod logs;
pub mod board;
pub mod herald;
pub mod errand;
pub mod events;
pub mod meters;
mod durations;
mod patience;
pub mod reload;
mod lookout;
pub mod driver;
pub mod hands;
pub mod cannot_start;
mod gear;
pub mod compose;
pub mod check;
pub mod api;
pub mod report;
pub mod signals;
pub mod said;
pub mod serve;
