//! What a host or its repository loses is never taken for a wish.
//!
//! **Invariant:** nothing is removed because a key, a fact or a Host could not be read.

use std::fs;

use bowline_api::outcome::Outcome;
use bowline_api::status::Status;
use tests::picture::Picture;
use tests::strace::{self, Strike};
use tests::workshop::Workshop;

use crate::aftermath::{deployments, goes_on, is_settled, journals};
use crate::killed::points;
use crate::story::{Story, file, settled};

/// A host that was killed when everything was in place and nothing decided.
fn killed_when_applied(story: &Story) -> Workshop {
    let points = points(story);
    let decides = |it: &&strace::Call| it.arguments.contains("decide");
    let at = points.iter().find(decides).expect("a decision is written");
    let shop = story.shop.copy();
    assert!(strace::strike(&shop, &at.name, at.nth, Strike::Kill).hit);
    assert_ne!(Picture::of(&shop.root()), story.old, "it was not applied yet");
    shop
}

#[test]
fn a_host_key_that_is_gone_is_not_made_anew() {
    let shop = settled("");
    let before = Picture::whole(&shop.root());
    let (key, away) = (shop.folder().join("host.key"), shop.folder().join("key.away"));
    fs::rename(&key, &away).unwrap();
    let told = shop.once();
    assert_eq!(told.exit, Some(3), "{told:?}");
    assert!(told.said.contains("the host's key"), "{told:?}");
    assert!(!key.exists(), "another key was made");
    assert_eq!(Picture::whole(&shop.root()), before);
    fs::rename(&away, &key).unwrap();
    shop.once().ended(Outcome::Unchanged);
}

#[test]
fn a_host_that_nothing_names_any_more_keeps_what_it_was_given() {
    let shop = settled("");
    let public = fs::read_to_string(shop.folder().join("host.key.pub")).unwrap();
    fs::write(shop.folder().join("one.pub"), &public).unwrap();
    let shown = shop.run("ssh-keygen", &["-lf", "one.pub"]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    let fingerprint = shown.split(' ').nth(1).unwrap();
    shop.write(
        "hosts/web.yaml",
        format!(
            "apiVersion: bowline/v1\nkind: Host\nmetadata: {{name: web}}\nspec: {{environment: production, keyFingerprint: \
             {fingerprint:?}, labels: {{role: web}}}}\n"
        ),
    );
    shop.write(
        "bowline.yaml",
        "apiVersion: bowline/v1\nkind: Repository\nmetadata: {name: fleet}\nspec: {folders: [apps, hosts]}\n",
    );
    let mine = file("web", "/etc/web.conf", "web\n").replace(
        "metadata: {name: web}",
        "metadata: {name: web}\ntarget: {matchLabels: {role: web}}",
    );
    shop.write("apps/web.yaml", mine);
    shop.commit("a role <script>alert(1)</script>\n\nwhich says more below");
    shop.once().ended(Outcome::Committed);
    assert!(shop.on_host("/etc/web.conf").exists());
    let told = deployments(&shop).remove(0);
    assert_eq!(told.subject.as_deref(), Some("a role <script>alert(1)</script>"));
    assert_eq!(told.environment.as_deref(), Some("production"));
    fs::remove_file(shop.repo().join("hosts/web.yaml")).unwrap();
    shop.commit("the host is forgotten");
    shop.once().ended_for(Outcome::Held, "host-unknown");
    assert!(shop.on_host("/etc/web.conf").exists(), "its file was taken away");
}

#[test]
fn no_cycle_begins_without_facts() {
    if !strace::is_here() {
        return;
    }
    let story = Story::kept();
    let shop = killed_when_applied(&story);
    let passwd = shop.on_host("/etc/passwd");
    fs::create_dir(&passwd).unwrap();
    let told = shop.once();
    assert_eq!(told.exit, Some(1), "{told:?}");
    assert!(told.said.contains("read the host's facts"), "{told:?}");
    fs::remove_dir(&passwd).unwrap();
    assert_eq!(Picture::of(&shop.root()), story.old, "the open change was not taken back");
    goes_on(&story, &shop, &shop.once(), "with facts again");
}

#[test]
fn a_damaged_witness_or_ledger_keeps_nobody_half_changed() {
    if !strace::is_here() {
        return;
    }
    let story = Story::kept();
    for name in ["host.key.witness", "state/ledger.json", "state/verify.json"] {
        let shop = killed_when_applied(&story);
        let path = shop.folder().join(name);
        let whole = fs::read(&path).ok();
        fs::write(&path, "").unwrap();
        for _ in 0..2 {
            let told = shop.once();
            assert_eq!(told.exit, Some(3), "{name}: {told:?}");
            told.ended_for(Outcome::Stranded, "state-mismatch");
            assert_eq!(Picture::of(&shop.root()), story.old, "{name}: it was not taken back");
            assert_eq!(fs::read(&path).unwrap(), b"", "{name}: it was written over");
            assert!(!journals(&shop).is_empty(), "{name}: the record is still owed");
        }
        match whole {
            Some(bytes) => fs::write(&path, bytes).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let told = shop.once();
        is_settled(&story, &shop, name);
        goes_on(&story, &shop, &told, name);
    }
}

#[test]
fn being_stopped_is_not_being_cut_short() {
    let shop = settled("");
    let probe = "---\napiVersion: bowline/v1\nkind: Probe\nmetadata: {name: calm}\nspec: {exec: {argv: \
                 [/bin/true]}, interval: 100ms, successThreshold: 1, deadline: 1s, soak: 2s}\n";
    shop.write("apps/app.yaml", format!("{}{probe}", file("app", "/etc/app.conf", "app two\n")));
    shop.commit("two");
    for _ in 0..3 {
        let service = shop.serve();
        tests::agent::until("the change soaks", || {
            service.tell::<Status>("/v1/status").phase == "probe"
        });
        assert_eq!(fs::read_to_string(shop.on_host("/etc/app.conf")).unwrap(), "app two\n");
        assert_eq!(service.stop(), Some(0));
    }
    shop.once().ended(Outcome::Committed);
    let told: Vec<_> = deployments(&shop).into_iter().map(|it| it.reason).collect();
    assert_eq!(told.iter().filter(|it| *it == "Stopped").count(), 3, "{told:?}");
}

#[test]
fn a_fact_that_changed_is_a_change_that_can_fail_once() {
    let shop = settled("");
    let release = |version: &str| {
        fs::create_dir_all(shop.on_host("/usr/lib")).unwrap();
        let text = format!("ID=debian\nVERSION_ID={version}\n");
        fs::write(shop.on_host("/usr/lib/os-release"), text).unwrap();
    };
    release("12");
    shop.write("apps/version.txt", "on {{ facts.os.version }}\n");
    let probe = format!(
        "---\napiVersion: bowline/v1\nkind: Probe\nmetadata: {{name: version}}\nspec: {{exec: {{argv: \
         [/usr/bin/grep, -q, \"12\", {:?}]}}, interval: 100ms, successThreshold: 1, failureThreshold: 1, \
         deadline: 100ms, soak: 0s}}\n",
        shop.on_host("/etc/version")
    );
    let template = "---\napiVersion: bowline/v1\nkind: Template\nmetadata: {name: version}\n\
                    spec: {path: /etc/version, source: version.txt}\n";
    shop.write(
        "apps/app.yaml",
        format!("{}{template}{probe}", file("app", "/etc/app.conf", "app one\n")),
    );
    shop.commit("a template");
    shop.once().ended(Outcome::Committed);
    let before = Picture::whole(&shop.on_host("/etc"));
    release("13");
    shop.once().ended(Outcome::Reverted);
    for _ in 0..2 {
        shop.once().ended_for(Outcome::Held, "quarantined");
    }
    // Another value of the same fact is the same change, and so is a merge that leaves it alone.
    release("14");
    shop.once().ended_for(Outcome::Held, "quarantined");
    shop.write("apps/more.yaml", file("more", "/etc/more.conf", "more\n"));
    shop.commit("something else");
    shop.once().ended_for(Outcome::Held, "quarantined");
    assert_eq!(Picture::whole(&shop.on_host("/etc")), before);
    release("12");
    shop.once().ended(Outcome::Committed);
    assert!(shop.on_host("/etc/more.conf").exists());
}
