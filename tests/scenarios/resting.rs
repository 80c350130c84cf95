//! What an agent that rests keeps of what it did.
//!
//! **Invariant:** what was read of the repository for one revision is given back.

use std::fs;

use bowline_api::status::Status;
use tests::agent::until;

use crate::story::settled;

#[test]
fn packs_that_were_read_for_a_revision_are_not_kept_in_memory() {
    let shop = settled("");
    let service = shop.serve();
    until("the first cycle is over", || {
        let status: Status = service.tell("/v1/status");
        status.phase == "rest" && status.waiting_for.is_some()
    });
    let maps = fs::read_to_string(format!("/proc/{}/maps", service.id())).unwrap();
    assert!(maps.contains("bowline-agent"), "{maps}");
    assert!(!maps.contains("objects.git"), "{maps}");
    assert_eq!(service.stop(), Some(0));
}
