//! What a power cut may leave of a real deployment, and whether real recovery copes with all of it.
//!
//! The real agent deploys a small change while `strace` records every call that changes a file. Each
//! call becomes an operation on a tree of numbered objects. From the operations follows every state
//! in which a power cut may leave the disk; each is made real in a folder, and the real agent
//! recovers there, twice: first while no remote answers, so that recovery is all it does, then with
//! the remote. The rule is the one of the design's own model, for real calls:
//!
//! - Names (create, link, rename, unlink, make and remove a folder) are durable when every folder they
//!   touch was synced by `fsync`. Until then each may be lost by itself, in any combination. An
//!   exchange is one operation. One whose ground was lost (a rename of what was never there, a removal
//!   of a folder that is not empty) does nothing.
//! - Bytes and length of a file are durable after its `fdatasync` or `fsync`. Until then they survive
//!   up to any write, the last one also by half, but for its first sectors, or as zeros of the right
//!   length; and any one write that others followed may be missing.
//! - Permission bits are durable after the object's `fsync`.
//! - `syncfs` makes all of that durable on its filesystem. Managed files, the agent's state and the
//!   host's key count as three filesystems: the strictest case.
//! - The power may go after every operation. Where a moment has more than 256 combinations, each part
//!   is lost alone and kept alone, all are lost, none is, and some combinations are drawn from a seed.
//!
//! That is harsher than filesystems are in two things: writes to one sector are lost each by itself,
//! and names are lost in any order. The agent stands both, as each is covered before it counts.
//!
//! Not modelled: order between operations that no barrier orders (none is assumed), extended
//! attributes, owners, time stamps, and disks that lie about a barrier.
//!
//! **Invariant:** a state is judged by the agent's real binary only.

pub mod tree;
pub mod tape;
pub mod op;
pub mod recording;
pub mod reader;
pub mod ink;
pub mod derive;
pub mod yard;
pub mod judge;
pub mod trial;
pub mod purpose;
pub mod release;
