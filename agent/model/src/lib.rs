//! The agent's nouns: manifests, policy, trust root, steps, plans, outcomes. Parsed, checked, inert.
//!
//! **Invariant:** no I/O, no clock, no randomness, no `async`.
//! **Invariant:** a value that exists is a value that is well formed; whether it is *right* is judged
//! elsewhere.

pub mod adopted;
pub mod digest;
pub mod object_id;
pub mod duration;
pub mod byte_size;
pub mod word;
pub mod name;
pub mod shown;
pub mod host_path;
pub mod file_mode;
pub mod target;
pub mod read;
pub mod manifest;
pub mod desired;
pub mod schema;
pub mod envelope;
pub mod trust_root;
pub mod policy;
pub mod bundle;
pub mod change_set;
pub mod high_water;
pub mod counted;
pub mod revision;
pub mod form;
pub mod unit;
pub mod step;
pub mod change;
pub mod mark;
pub mod generation;
pub mod steady;
pub mod facts;
pub mod survey;
pub mod tree;
pub mod manifest_files;
pub mod release;
pub mod probe_call;
