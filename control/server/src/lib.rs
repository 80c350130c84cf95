//! The control service: it takes hosts' signed records, keeps them, and says where a commit is.
//!
//! **Invariant:** it records; it authorises nothing. Whatever it says, no host applies anything for it.

pub mod door;
pub mod arguments;
pub mod public_url;
pub mod tls;
pub mod settings;
pub mod logs;
pub mod readable;
pub mod envelope;
pub mod merged;
pub mod store;
pub mod http;
pub mod herald;
pub mod serve;
pub mod desk;
