//! Other people's parsers beside ours: the crates `ssh-key` and `pgp`, and the programs `ssh-keygen` and `gpg`.
//!
//! **Invariant:** what we take, another takes as well, and reads the same key out of it: there is no exception from
//! that. What another takes and we do not stands in a table, by the words of our refusal, with why.
//! **Invariant:** cases come from fixed seeds and from keys made for one run; no case is chosen by its result.

mod bench;
mod bent;
mod oracle_keys;
mod ssh_blobs;
mod ssh_certificates;
mod ssh_keys;
mod ssh_signatures;
mod openpgp_bench;
mod openpgp_certificates;
mod openpgp_signatures;
