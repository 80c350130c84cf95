//! An approval that a person really signed, whatever it says, beside a merge that waits for one.
//!
//! **Invariant:** the merge is accepted exactly when a reader that is written here says that the approval counts.

use std::sync::{Arc, LazyLock};

use bowline_model::bundle::{Beside, Bundle, Change, CommitEvidence, PathEvidence};
use bowline_model::digest::Sha256;
use bowline_model::object_id::{ObjectFormat, ObjectId};
use bowline_model::trust_root::TrustRoot;
use bowline_trust::commit::object_id;
use bowline_trust::policy_sign::{assemble, bytes_to_sign};
use bowline_trust::{Verdict, verify};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::evidence::{blob, by_person, policy};
use super::signer::Signer;
use super::{BEGINNING, DAY};

/// A repository in which a forge merges, and one person has to approve.
struct World {
    root: TrustRoot,
    root_sha256: Sha256,
    law: [PathEvidence; 2],
    anchor: CommitEvidence,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let yaml = policy("[dave], approvals: {principals: 1, from: [bob]}", "");
    let signature = Signer::new(1).sign("bowline-policy", &bytes_to_sign(yaml.as_bytes()));
    let envelope = assemble(yaml.as_bytes(), &[signature]).expect("a signed policy");
    let law = [blob(yaml.as_bytes()), blob(&envelope)];
    let anchor = commit(None, &law, BEGINNING, Beside::default());
    let text = format!(
        "version: 1\nrepo: {{uri: \"git+https://git.example/ops/fleet\", ref: refs/heads/main}}\n\
         anchor: {{commit: \"{}\", commitSha256: \"{}\"}}\n\
         root: {{threshold: 1, keys: [{{id: alice, key: \"{}\"}}]}}\n",
        anchor.id,
        Sha256::of(&anchor.raw),
        Signer::new(1).line()
    );
    let root = TrustRoot::parse("trust.yaml", text.as_bytes()).expect("a trust file");
    World { root, root_sha256: Sha256::of(text.as_bytes()), law, anchor }
});

/// A commit of the forge's.
fn commit(
    parent: Option<ObjectId>,
    [policy, policy_envelope]: &[PathEvidence; 2],
    time: i64,
    beside: Beside,
) -> CommitEvidence {
    let parent = parent.map(|it| format!("parent {it}\n")).unwrap_or_default();
    let head = format!(
        "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n{parent}author A <a@example.org> {time} +0000\n\
         committer A <a@example.org> {time} +0000\n"
    );
    let signature = Signer::new(4).sign("git", format!("{head}\nmerge\n").as_bytes());
    let raw = format!("{head}gpgsig {}\n\nmerge\n", signature.trim_end().replace('\n', "\n "));
    CommitEvidence {
        id: object_id(ObjectFormat::Sha1, "commit", raw.as_bytes()),
        raw: raw.into_bytes().into(),
        policy: policy.clone(),
        policy_envelope: policy_envelope.clone(),
        roots: PathEvidence::Missing,
        outside_policy_unchanged: false,
        beside,
    }
}

/// What an approval says, as JSON; Bob signs it for the change that is merged.
pub(super) fn approval(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let change =
        Change { sha256: Sha256::of(b"one"), blob: object_id(ObjectFormat::Sha1, "blob", b"one") };
    let subject = json!([{"name": "change", "digest": {"sha256": change.sha256.to_string()}}]);
    // As it stands: what two readers might understand differently is a part of what is tried.
    let statement = format!(
        r#"{{"_type":"https://in-toto.io/Statement/v1","subject":{subject},"predicateType":"bowline approval/v1","predicate":{text}}}"#
    );
    let accepted = |line: Vec<u8>| {
        let attestations = vec![Arc::from(line)];
        let beside = Beside { attestations, change: Some(change), ..Beside::default() };
        let merged = commit(Some(WORLD.anchor.id), &WORLD.law, BEGINNING + 3_600, beside);
        let bundle = Bundle {
            format: ObjectFormat::Sha1,
            tip: merged.id,
            start: Some(WORLD.anchor.clone()),
            commits: vec![merged],
            cut_short: false,
            waiting: Vec::new(),
        };
        let now = Timestamp::from_second(BEGINNING + DAY).expect("a time");
        match verify(&WORLD.root, WORLD.root_sha256, None, &bundle, now) {
            Verdict::Accepted { .. } => true,
            Verdict::Pending { .. } => false,
            other => panic!("{other:?}"),
        }
    };
    let is_accepted = accepted(by_person(2, statement.as_bytes()));
    if is_accepted {
        assert_eq!(counts(text), Some(true), "an approval that does not count");
    }
    for stranger in [1, 4, 9] {
        assert!(!accepted(by_person(stranger, statement.as_bytes())), "signed by {stranger}");
    }
    is_accepted
}

/// Whether an approval counts for the merge.
fn counts(text: &str) -> Option<bool> {
    let value: Value = serde_json::from_str(text).ok()?;
    let word = |name: &str| value.get(name)?.as_str().map(str::to_owned);
    let time = |name: &str| word(name)?.parse::<Timestamp>().ok();
    let (issued, expires) = (time("issued")?, time("expires")?);
    let at = |seconds| Timestamp::from_second(seconds).ok();
    let is_here = word("repoUri")? == "git+https://git.example/ops/fleet"
        && word("targetRef")? == "refs/heads/main";
    let is_known = value.as_object()?.len() == 5 && word("base")?.parse::<ObjectId>().is_ok();
    let is_now = expires > at(BEGINNING + 3_600)? && issued <= at(BEGINNING + DAY + 600)?;
    let is_short = expires.duration_since(issued) <= SignedDuration::from_hours(90 * 24);
    Some(is_here && is_known && is_now && is_short)
}
