//! Programs that a deployment started, when the agent is killed.
//!
//! **Invariant:** recovery is alone on the host (7): nothing that was begun before it works on.

use std::fs;
use std::path::Path;

use bowline_api::outcome::Outcome;
use tests::agent::until;
use tests::picture::Picture;

use crate::aftermath::recover_alone;
use crate::story::{command, file, settled};

#[test]
fn fault_02_a_command_ends_with_the_agent_that_was_killed() {
    let script = "echo $$ > $BOWLINE_ROOT/../pid; while [ ! -e $BOWLINE_ROOT/../go ]; do sleep 0.02; done; \
                  echo late > $BOWLINE_ROOT/etc/app.conf";
    let late =
        command("late", script, "true", "/never").replace("spec:", "dependsOn: [File/app]\nspec:");
    let shop = settled("");
    let before = Picture::whole(&shop.root());
    shop.write("apps/app.yaml", format!("{}{late}", file("app", "/etc/app.conf", "app two\n")));
    shop.commit("two");
    let running = shop.begin();
    let pid = || fs::read_to_string(shop.folder().join("pid")).ok().filter(|it| it.ends_with('\n'));
    until("the command runs", || pid().is_some());
    running.kill();
    recover_alone(&shop);
    assert_eq!(Picture::whole(&shop.root()), before);
    // If it still ran, it would write now.
    fs::write(shop.folder().join("go"), "").unwrap();
    let process = format!("/proc/{}", pid().unwrap().trim());
    until("the command is gone", || !Path::new(&process).exists());
    assert_eq!(Picture::whole(&shop.root()), before);
}

#[test]
fn fault_02_a_command_that_is_killed_is_a_command_that_failed() {
    let shop = settled("");
    let before = Picture::whole(&shop.root());
    let dies = command("dies", "kill -9 $$", "true", "/never")
        .replace("spec:", "dependsOn: [File/app]\nspec:");
    shop.write("apps/app.yaml", format!("{}{dies}", file("app", "/etc/app.conf", "app two\n")));
    shop.commit("two");
    let told = shop.once();
    let cycle = told.ended_for(Outcome::Reverted, "command-failed");
    assert!(cycle.detail.contains("signal 9"), "{cycle:#?}");
    assert_eq!(Picture::whole(&shop.root()), before);
}
