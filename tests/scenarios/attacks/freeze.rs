//! A branch that is frozen: the host is kept from ever seeing what came after.
//!
//! **Invariant:** a host without a fresh signed word takes nothing new, says so, and looks after what stands.

use bowline_api::outcome::Outcome;
use tests::binaries;
use tests::picture::Picture;
use tests::wall_clock::{build, off_by};
use tests::workshop::Workshop;

use super::{good, host, turned_away, unmoved};

/// The policy asks for a word of the robot `clock`, six hours old at most.
fn asking() -> Workshop {
    let shop = host();
    shop.make_key("clock", &["-t", "ed25519"]);
    let robot = format!(
        "principals:\n  clock: {{kind: robot, keys: [{{type: ssh, key: \"{}\"}}]}}\n",
        shop.public("clock")
    );
    let law = shop.law(2).replace("principals:\n", &robot);
    shop.enact(&(law + "freshness: {signer: clock, maxAge: 6h}\n"), &["alice"]);
    shop.commit("ask for freshness");
    shop
}

/// Has the head signed, by a clock that is put under it.
fn vouch(shop: &Workshop, words: &[String]) {
    let vouched = shop.folder().join("vouched");
    let bowline = binaries::bowline();
    let (repo, trust, key) = (shop.repo(), shop.folder().join("trust.yaml"), shop.key("clock"));
    let mut arguments: Vec<_> =
        words.iter().map(|it| it.as_ref()).collect::<Vec<&std::ffi::OsStr>>();
    arguments.extend([bowline.as_os_str(), "head".as_ref(), "sign".as_ref()]);
    for (name, path) in
        [("--repo", &repo), ("--trust", &trust), ("--state", &vouched), ("--key", &key)]
    {
        arguments.extend([name.as_ref(), path.as_os_str()]);
    }
    let (program, rest) = arguments.split_first().unwrap();
    let output = std::process::Command::new(program).args(rest).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn attack_32_a_frozen_branch_holds_the_host_until_somebody_vouches_for_it() {
    let shop = asking();
    let Some(clock) = build(shop.folder()) else { return };
    turned_away(&shop, (Outcome::Held, "stale"), "nobody ever vouched");
    vouch(&shop, &[]);
    let told = shop.once();
    assert_eq!(told.exit, Some(0), "{told:#?}");
    good(&shop);
    shop.commit("two");
    shop.once().ended(Outcome::Committed);
    let before = Picture::whole(&shop.root());
    // Seven hours on nobody has vouched for anything: whatever is shown may be all there was long ago.
    let later = off_by(shop.folder(), &clock, 7 * 3_600);
    let later_words = later.each_ref().map(String::as_str);
    let told = shop.once_under(&later_words);
    assert_eq!(told.cycle.as_ref().map(|it| it.code.as_str()), Some("stale"), "{told:#?}");
    let cycle = told.cycle.unwrap();
    assert_eq!((cycle.outcome, cycle.reason.as_str()), (Outcome::Held, "Stale"));
    assert!(cycle.freshness.contains("the policy asks for 6h old at most"), "{}", cycle.freshness);
    assert_eq!(Picture::whole(&shop.root()), before);
    shop.write("apps/app.yaml", crate::story::file("app", "/etc/app.conf", "app three\n"));
    shop.commit("three");
    let told = shop.once_under(&later_words);
    assert_eq!(told.cycle.as_ref().map(|it| it.code.as_str()), Some("stale"), "{told:#?}");
    assert_eq!(Picture::whole(&shop.root()), before, "what is new is not taken");
    // Somebody vouches again, and on it goes.
    vouch(&shop, &later);
    shop.once_under(&later_words).ended(Outcome::Committed);
    assert!(Picture::whole(&shop.root()).at("/etc/app.conf").unwrap().contains("app three"));
    // Set back, the clock is behind a signed word.
    let told = unmoved(&shop, "the clock is set back");
    assert_eq!(told.cycle.as_ref().map(|it| it.code.as_str()), Some("clock-behind"), "{told:#?}");
}
