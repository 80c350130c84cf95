//! `bowline policy new`: a policy from answers.
//!
//! **Invariant:** what is written was read back as a policy that hosts take; nothing that stands is overwritten.

use std::fmt::Write as _;

use anyhow::anyhow;
use bowline_host::door::files::{create, length, make_folder_cheaply, write_all};
use bowline_model::policy::Policy;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::arguments::New;
use super::duty::{self, Level};
use crate::failure::Failure;
use crate::keys;
use crate::screen::Screen;
use crate::verify::{now_or, read_trust};

/// A person who has keys.
struct Person<'a> {
    name: &'a str,
    keys: Vec<String>,
}

/// Writes a policy.
pub(super) fn new(given: &New, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let people = people(given)?;
    let (uri, ref_name) = if let Some(file) = &given.trust {
        let repo = read_trust(file)?.root.repo;
        (repo.uri.to_string(), repo.ref_name.to_string())
    } else {
        let uri = given.uri.as_ref().map(ToString::to_string);
        (uri.unwrap_or_default(), given.ref_name.to_string())
    };
    let now = now_or(None);
    let lasting = SignedDuration::from_hours(24 * i64::from(given.days));
    let expires = now.checked_add(lasting).map_err(Failure::usage)?;
    let text = text(given, &people, (&uri, &ref_name), expires);
    let policy = Policy::parse(&given.policy.display().to_string(), text.as_bytes())
        .map_err(|faults| Failure::usage(faults).of("these answers make no policy"))?;
    let problems = duty::alone(&policy, now);
    if let Some(bad) = problems.iter().find(|it| it.level == Level::Error) {
        let what = anyhow!(bad.what.clone());
        return Err(Failure::usage(what).of("these answers make no policy that works"));
    }
    write(given, &text)?;
    for it in &problems {
        screen.note(format_args!("warning: {}", it.what))?;
    }
    if given.json {
        screen.json(&json!({
            "policy": given.policy.display().to_string(),
            "version": policy.version,
            "expires": expires,
        }))?;
        return Ok(0);
    }
    screen.table(&[
        ("policy", given.policy.display().to_string()),
        ("version", format!("{}, expires {expires}", policy.version)),
        ("next", format!("bowline policy sign {} --key FILE", given.policy.display())),
    ])?;
    Ok(0)
}

fn write(given: &New, text: &str) -> Result<(), Failure> {
    let path = &given.policy;
    let stands = path.symlink_metadata().is_ok() || length(path).map_err(Failure::failed)? > 0;
    if stands {
        let what = anyhow!("{} is there already", path.display());
        return Err(Failure::usage(what).hint("edit it, raise its version, and sign it anew"));
    }
    if let Some(folder) = path.parent().filter(|it| !it.as_os_str().is_empty()) {
        make_folder_cheaply(folder).map_err(Failure::failed)?;
    }
    let file = create(path, 0o644).map_err(Failure::failed)?;
    write_all(&file, path, text.as_bytes()).map_err(Failure::failed)
}

/// Each person once, with all their keys.
fn people(given: &New) -> Result<Vec<Person<'_>>, Failure> {
    let mut people: Vec<Person<'_>> = Vec::new();
    for (name, file) in &given.people {
        let key = keys::public(file)?;
        match people.iter_mut().find(|it| it.name == name) {
            Some(person) => person.keys.push(key),
            None => people.push(Person { name, keys: vec![key] }),
        }
    }
    Ok(people)
}

fn text(
    given: &New,
    people: &[Person<'_>],
    (uri, ref_name): (&str, &str),
    expires: Timestamp,
) -> String {
    let all: Vec<_> = people.iter().map(|it| it.name.to_owned()).collect();
    let list = |names: &[String]| {
        let names: Vec<_> = names.iter().map(|it| quoted(it)).collect();
        format!("[{}]", names.join(", "))
    };
    let or_all = |names: &[String]| list(if names.is_empty() { &all } else { names });
    let (mergers, approvers) = (or_all(&given.mergers), or_all(&given.approvers));
    let (uri, ref_name) = (quoted(uri), quoted(ref_name));
    let mut text = format!(
        "# Who may merge, and what a revision must pass. Each change needs a higher version, and the\n\
         # signatures of the root keys over it: bowline policy sign --key FILE\n\
         version: 1\n\
         # From then on it lets nothing through but its own renewal.\n\
         expires: {expires}\n\
         repoUri: {uri}\n\
         ref: {ref_name}\n\
         # Labels of hosts come from hosts/ in the repository, not from the hosts themselves.\n\
         labels: repository\n\
         # People, robots and forges. A new key: bowline policy rotate NAME --key-file FILE\n\
         principals:\n"
    );
    // Writing to a text in memory does not fail.
    for person in people {
        let name = quoted(person.name);
        write!(text, "  {name}:\n    kind: human\n    keys:\n").unwrap_or_default();
        for key in &person.keys {
            writeln!(text, "      - {{type: ssh, key: {}}}", quoted(key)).unwrap_or_default();
        }
    }
    write!(
        text,
        "merge:\n  \
           # Whose signature on a commit moves the branch.\n  \
           mergers: {mergers}\n  \
           # How many people approve what is merged: bowline approve.\n  \
           approvals: {{principals: {}, from: {approvers}, excludeAuthors: {}}}\n\
         # What a revision must pass: packaging/gates.md.\n\
         gates: []\n\
         # Fingerprints of keys, and commits and trees, that count no more whoever signed them.\n\
         revoked: {{keys: [], commits: [], trees: []}}\n",
        given.approvals,
        !given.include_authors && given.approvals > 0,
    )
    .unwrap_or_default();
    text
}

/// A text in double quotes: JSON's are YAML's as well. A plain word needs none.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
