//! Others at work: a second agent, a lost or older state, a branch that moves meanwhile.
//!
//! **Invariant:** one writer; nothing below what was verified; a deployment ends against its own
//! revision.

use std::fs;

use bowline_api::outcome::Outcome;
use bowline_api::record::Record;
use bowline_api::status::Status;
use nix::fcntl::{Flock, FlockArg};
use tests::agent::until;
use tests::picture::Picture;
use tests::workshop::Workshop;

use crate::story::{command, file, probe, settled};

#[test]
fn fault_13_a_state_folder_that_somebody_locks_is_left_alone_until_it_is_free() {
    let shop = settled("");
    shop.write("apps/app.yaml", file("app", "/etc/app.conf", "app two\n"));
    shop.commit("two");
    let folder = fs::File::open(shop.state()).unwrap();
    let held = Flock::lock(folder, FlockArg::LockExclusiveNonblock).unwrap();
    let before = (Picture::of(&shop.root()), Picture::of(&shop.state()));
    let told = shop.once();
    assert_eq!(told.exit, Some(1), "{told:#?}");
    assert!(told.said.contains("another agent works with the state folder"), "{told:#?}");
    assert!((Picture::of(&shop.root()), Picture::of(&shop.state())) == before, "{told:#?}");
    drop(held);
    shop.once().ended(Outcome::Committed);
}

#[test]
fn fault_13_locks_of_git_in_either_repository_hold_nothing_up() {
    let shop = settled("");
    shop.write("apps/app.yaml", file("app", "/etc/app.conf", "app two\n"));
    shop.commit("two");
    let there = ["HEAD.lock", "packed-refs.lock", "refs/heads/main.lock", "index.lock", "gc.pid"];
    let here = ["HEAD.lock", "packed-refs.lock", "refs/bowline/candidate.lock", "shallow.lock"];
    let there = there.map(|it| shop.repo().join(".git").join(it));
    let here = here.map(|it| shop.state().join("objects.git").join(it));
    // As a push, or a Git that somebody runs in the state folder, leaves them while it works.
    let locks: Vec<_> = there.iter().chain(&here).collect();
    for lock in &locks {
        fs::write(lock, "1").unwrap();
    }
    shop.once().ended(Outcome::Committed);
    assert_eq!(fs::read_to_string(shop.on_host("/etc/app.conf")).unwrap(), "app two\n");
    assert!(locks.iter().all(|it| it.exists()), "a lock of somebody's was removed");
}

#[test]
fn fault_14_a_second_agent_is_turned_away_and_changes_nothing() {
    let shop = settled("");
    let wait = command("wait", "sleep 2", "true", "/etc/never");
    shop.write("apps/wait.yaml", wait);
    shop.commit("two");
    let first = shop.begin();
    until("the first agent applies", || {
        fs::read_dir(shop.state().join("journal")).is_ok_and(|mut it| it.next().is_some())
    });
    let second = shop.once();
    assert_eq!(second.exit, Some(1), "{second:#?}");
    assert!(second.said.contains("another agent works with the state folder"), "{second:#?}");
    // The lock is on the folder: there is no file whose removal would let a second one in.
    assert!(!shop.state().join("lock").exists());
    first.wait().ended(Outcome::Committed);
    shop.once().ended(Outcome::Committed);
}

#[test]
fn fault_26_a_lost_state_prunes_nothing_and_goes_no_lower() {
    let shop = settled(&file("extra", "/etc/extra.conf", "extra\n"));
    let older = shop.tip();
    shop.write("apps/app.yaml", file("app", "/etc/app.conf", "app two\n"));
    shop.commit("two, without the extra file");
    shop.once().ended(Outcome::Committed);
    fs::write(shop.on_host("/etc/extra.conf"), "somebody's now\n").unwrap();
    fs::remove_dir_all(shop.state()).unwrap();
    shop.once().ended(Outcome::Committed);
    assert_eq!(fs::read_to_string(shop.on_host("/etc/extra.conf")).unwrap(), "somebody's now\n");
    fs::remove_dir_all(shop.state()).unwrap();
    shop.move_branch(&older);
    shop.once().ended_for(Outcome::Refused, "not-fast-forward");
    assert_eq!(fs::read_to_string(shop.on_host("/etc/app.conf")).unwrap(), "app two\n");
}

#[test]
fn fault_26_a_state_older_than_the_host_is_stranded() {
    let shop = settled("");
    shop.run("cp", &["-a", "state", "state.old"]);
    shop.write("apps/app.yaml", file("app", "/etc/app.conf", "app two\n"));
    shop.commit("two");
    shop.once().ended(Outcome::Committed);
    fs::remove_dir_all(shop.state()).unwrap();
    shop.run("mv", &["state.old", "state"]);
    shop.once().ended_for(Outcome::Stranded, "state-older");
    assert_eq!(fs::read_to_string(shop.on_host("/etc/app.conf")).unwrap(), "app two\n");
}

#[test]
fn fault_29_a_deployment_ends_against_its_own_revision() {
    let shop = settled("");
    let own = shop.tip();
    let repo = shop.repo().display().to_string();
    // While it is applied, the branch is forced back to where it was.
    let force = format!("git -C {repo} update-ref refs/heads/main {own}");
    shop.write("apps/app.yaml", file("app", "/etc/app.conf", "app two\n"));
    shop.write("apps/force.yaml", command("force", &force, "true", "/etc/never"));
    let second = shop.commit("two");
    let told = shop.once();
    let cycle = told.ended(Outcome::Committed);
    assert!(cycle.revision.as_ref().unwrap().ends_with(&second), "{cycle:#?}");
    assert_eq!(shop.tip(), own);
    shop.once().ended_for(Outcome::Refused, "not-fast-forward");
    assert_eq!(fs::read_to_string(shop.on_host("/etc/app.conf")).unwrap(), "app two\n");
}

#[test]
fn a_revert_says_so_everywhere_and_is_not_tried_again_in_a_later_merge() {
    let shop = settled("");
    let bad = format!("{}{}", file("bad", "/etc/bad.conf", "bad\n"), probe("[/bin/false]"));
    shop.write("apps/bad.yaml", &bad);
    shop.commit("two");
    let service = shop.serve();
    let last = || service.tell::<Status>("/v1/status").last.map(|it| it.outcome);
    until("the service reverted", || last() == Some(Outcome::Reverted));
    let status: Status = service.tell("/v1/status");
    let is = |kind: &str| status.conditions.iter().find(|it| it.kind == kind).unwrap();
    assert_eq!((is("Ready").status.as_str(), is("Ready").reason.as_str()), ("False", "RolledBack"));
    // What stands again is well, and the change that was not was verified.
    assert_eq!(
        (is("Healthy").status.as_str(), is("SourceVerified").status.as_str()),
        ("True", "True")
    );
    assert_eq!(status.quarantine.len(), 1, "{status:#?}");
    let history: Vec<Record> = service.tell("/v1/history");
    assert_eq!(history[0].outcome, Outcome::Reverted);
    let proof = history[0].proof.as_ref().unwrap();
    assert_eq!(proof.before, proof.after);
    assert_eq!(service.stop(), Some(0));
    shop.once().ended_for(Outcome::Held, "quarantined");
    // A later merge that carries the same change is held as a whole.
    shop.write("apps/more.yaml", file("more", "/etc/more.conf", "more\n"));
    shop.commit("three");
    shop.once().ended_for(Outcome::Held, "quarantined");
    assert!(!shop.on_host("/etc/bad.conf").exists() && !shop.on_host("/etc/more.conf").exists());
    // One that changes it is new.
    shop.write("apps/bad.yaml", file("bad", "/etc/bad.conf", "good\n"));
    shop.commit("four");
    shop.once().ended(Outcome::Committed);
    assert_eq!(fs::read_to_string(shop.on_host("/etc/bad.conf")).unwrap(), "good\n");
}

#[test]
fn a_service_stops_at_a_barrier_and_the_change_is_tried_again() {
    let shop = settled("");
    let slow = "interval: 1s, successThreshold: 1, deadline: 30s, soak: 30s";
    let soak = format!(
        "---\napiVersion: bowline/v1\nkind: Probe\nmetadata: {{name: slow}}\nspec: {{exec: {{argv: [/bin/true]}}, {slow}}}\n"
    );
    shop.write("apps/app.yaml", format!("{}{soak}", file("app", "/etc/app.conf", "app two\n")));
    shop.commit("two");
    let service = shop.serve();
    until("it probes", || service.tell::<Status>("/v1/status").phase == "probe");
    assert_eq!(service.stop(), Some(0));
    let one: Workshop = shop.copy();
    one.write("apps/app.yaml", file("app", "/etc/app.conf", "app two\n"));
    one.commit("three, without the probe");
    one.once().ended(Outcome::Committed);
    assert_eq!(fs::read_to_string(one.on_host("/etc/app.conf")).unwrap(), "app two\n");
}
