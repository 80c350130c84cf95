//! Power cuts in the middle of a real deployment, and what each barrier is good for.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "test code may")]

use tests::crash::trial::{Journey, Trial};
use tests::strace;

fn go(j: Journey) {
    if !strace::is_here() {
        return;
    }
    let begun = std::time::Instant::now();
    let trial = Trial::record(j);
    println!("{:?} {:#?}", begun.elapsed(), trial.barriers());
    let begun = std::time::Instant::now();
    let found = trial.explore();
    println!(
        "{} of {} states, {} wrong, {:?}",
        found.tried,
        found.derived,
        found.wrong.len(),
        begun.elapsed()
    );
    let mut groups = std::collections::BTreeMap::new();
    for wrong in &found.wrong {
        groups.entry(wrong.lines().next().unwrap()).or_insert_with(Vec::new).push(wrong);
    }
    for (g, all) in &groups {
        println!("{} x {g}\n  {}\n  {}", all.len(), all[0], all[all.len() - 1]);
    }
    let w: String = std::env::var("WITH").unwrap_or_default();
    for (name, f) in trial.explore_without(|n| n.contains(&w)) {
        println!(
            "{} {name}: {}/{} {:?} {}",
            if f.wrong.is_empty() { "GREEN" } else { "red" },
            f.tried,
            f.derived,
            begun.elapsed(),
            f.wrong.first().map(|it| it.chars().take(300).collect::<String>()).unwrap_or_default()
        );
    }
    assert!(found.wrong.is_empty());
}

#[test]
fn commit() {
    go(Journey::Commit)
}
#[test]
fn revert() {
    go(Journey::Revert)
}
#[test]
fn recovery() {
    go(Journey::Recovery)
}
