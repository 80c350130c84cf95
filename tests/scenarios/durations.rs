//! How long each phase took, as records tell of real deployments.
//!
//! **Invariant:** what is told was spent: it is no more than whoever looked on waited.

use std::time::{Duration, Instant};

use bowline_api::outcome::Outcome;
use bowline_api::record::Record;
use bowline_api::status::Status;
use tests::agent::until;
use tests::workshop::Workshop;

use crate::aftermath::deployments;
use crate::story::{command, file, probe, settled};

/// Merges a file with a text, a command of a quarter of a second, and a trial.
fn slow(shop: &Workshop, text: &str, judge: &str, [deadline, soak]: [&str; 2]) {
    let run = command("slow", "sleep 0.25; touch $BOWLINE_ROOT/etc/slow", "true", "/etc/slow");
    let trial = probe(judge)
        .replace("deadline: 100ms", &format!("deadline: {deadline}"))
        .replace("soak: 0s", &format!("soak: {soak}"));
    shop.write("apps/slow.yaml", format!("{}{run}{trial}", file("more", "/etc/more", text)));
    shop.commit(text);
}

fn phases(record: &Record) -> Vec<&str> {
    record.durations.keys().map(String::as_str).collect()
}

#[test]
fn a_record_tells_how_long_each_phase_of_its_deployment_took() {
    let shop = settled("");
    for (text, judge, times, outcome, last) in [
        ("one", "[/bin/true]", ["5s", "500ms"], Outcome::Committed, "commit"),
        ("two", "[/bin/false]", ["500ms", "0s"], Outcome::Reverted, "revert"),
    ] {
        slow(&shop, text, judge, times);
        let began = Instant::now();
        shop.once().ended(outcome);
        let waited = began.elapsed();
        let record = deployments(&shop).remove(0);
        let mut want = vec!["apply", "fetch", "gate", "plan", "probe", "report", "stage", "verify"];
        want.push(last);
        want.sort_unstable();
        assert_eq!(phases(&record), want, "{record:#?}");
        let took = |phase: &str| Duration::from_millis(record.durations[phase]);
        assert!(took("apply") >= Duration::from_millis(250), "{:?}", record.durations);
        assert!(took("probe") >= Duration::from_millis(500), "{:?}", record.durations);
        // So that the command runs again.
        std::fs::remove_file(shop.on_host("/etc/slow")).unwrap();
        let whole: Duration = want.iter().map(|it| took(it)).sum();
        assert!(whole <= waited, "{whole:?} of {waited:?}: {:?}", record.durations);
    }
}

#[test]
fn a_rest_between_two_cycles_is_no_part_of_a_deployment() {
    let shop = settled("");
    let service = shop.serve();
    until("it rests", || service.tell::<Status>("/v1/status").phase == "rest");
    let rested = Instant::now();
    std::thread::sleep(Duration::from_millis(300));
    shop.write("apps/more.yaml", file("more", "/etc/more", "more\n"));
    shop.commit("more");
    let began = Instant::now();
    service.sync();
    until("it is recorded", || deployments(&shop).first().is_some_and(|it| it.seq == 2));
    let (since, whole) = (began.elapsed(), rested.elapsed());
    let record = deployments(&shop).remove(0);
    let told = Duration::from_millis(record.durations.values().sum());
    assert!(told <= since && since < whole, "{told:?} of {since:?}: {:?}", record.durations);
    assert!(!record.durations.contains_key("rest"), "{:?}", record.durations);
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn what_a_crash_lost_is_absent_from_the_record() {
    let shop = settled("");
    slow(&shop, "one", "[/bin/true]", ["5s", "10m"]);
    let running = shop.begin();
    until("the change soaks", || shop.on_host("/etc/slow").exists());
    running.kill();
    // The next try does not soak.
    slow(&shop, "one", "[/bin/true]", ["5s", "0s"]);
    shop.once().ended(Outcome::Committed);
    let records = deployments(&shop);
    let (kept, lost) = (&records[0], &records[1]);
    assert_eq!((lost.outcome, lost.reason.as_str()), (Outcome::Failed, "Interrupted"));
    assert_eq!(phases(lost), ["report", "revert"], "{:?}", lost.durations);
    // Nor is what came before it a part of the next one.
    assert!(!kept.durations.contains_key("revert"), "{:?}", kept.durations);
}
