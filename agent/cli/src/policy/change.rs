//! What a change of a policy grants and takes, a line each.
//!
//! **Invariant:** whatever differs between two policies has a line, and what lets more through is marked.

use std::collections::{BTreeMap, BTreeSet};

use bowline_model::policy::{KeyEntry, Kind, LabelSource, Policy, Principal};
use serde::Serialize;
use serde_json::{Map, Value};

use super::effect::{Effect, of_change, of_growing, shown};
use super::key_state;

/// One thing that is otherwise than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Change {
    pub(super) effect: Effect,
    /// What, for people.
    pub(super) what: String,
}

/// Everything that differs.
#[derive(Debug, Default)]
struct Changes(Vec<Change>);

/// What a new policy grants and takes, compared with an old one.
pub(super) fn changes(old: &Policy, new: &Policy) -> Vec<Change> {
    let mut all = Changes::default();
    all.of_frame(old, new);
    all.of_principals(old, new);
    all.of_names("may merge", (&old.merge.mergers, &new.merge.mergers), true);
    all.of_approvals(old, new);
    all.of_gates(old, new);
    all.of_emergency(old, new);
    all.of_fields("freshness", [fields(&old.freshness), fields(&new.freshness)]);
    let texts = |policy: &Policy| {
        let revoked = &policy.revoked;
        let keys = revoked.keys.iter().map(ToString::to_string);
        let commits = revoked.commits.iter().map(|it| format!("commit {it}"));
        let trees = revoked.trees.iter().map(|it| format!("tree {it}"));
        keys.chain(commits).chain(trees).collect::<Vec<_>>()
    };
    all.of_names("is revoked", (&texts(old), &texts(new)), false);
    all.0
}

/// Whose approval counts: everybody who is a person, where nobody is named.
pub(super) fn approvers(policy: &Policy) -> Vec<String> {
    let from = &policy.merge.approvals.from;
    let is_person = |(_, it): &(&String, &Principal)| it.kind == Kind::Human;
    if from.is_empty() {
        policy.principals.iter().filter(is_person).map(|(name, _)| name.clone()).collect()
    } else {
        from.clone()
    }
}

/// A value's fields, as a policy writes them; nothing where there is no value.
pub(super) fn fields(value: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

impl Changes {
    fn add(&mut self, effect: Effect, what: impl Into<String>) {
        self.0.push(Change { effect, what: what.into() });
    }

    fn of_frame(&mut self, old: &Policy, new: &Policy) {
        if new.expires != old.expires {
            let effect = Effect::of_more(new.expires > old.expires);
            self.add(effect, format!("it expires {}, before {}", new.expires, old.expires));
        }
        if new.repo_uri != old.repo_uri {
            let what = format!("it is for {}, before for {}", new.repo_uri, old.repo_uri);
            self.add(Effect::Changes, what);
        }
        if new.ref_name != old.ref_name {
            let what = format!("it is for {}, before for {}", new.ref_name, old.ref_name);
            self.add(Effect::Changes, what);
        }
        match (old.labels, new.labels) {
            (LabelSource::Repository, LabelSource::Local) => {
                self.add(Effect::Loosens, "labels of hosts come from their own settings");
            }
            (LabelSource::Local, LabelSource::Repository) => {
                self.add(Effect::Tightens, "labels of hosts come from the repository");
            }
            _ => {}
        }
    }

    fn of_principals(&mut self, old: &Policy, new: &Policy) {
        for (name, principal) in &new.principals {
            match old.principals.get(name) {
                None => {
                    self.add(
                        Effect::Loosens,
                        format!("principal {name} ({}) is new", principal.kind),
                    );
                    self.of_keys(name, &[], &principal.keys);
                }
                Some(before) => {
                    if before.kind != principal.kind {
                        // Only a person's merge is an approval.
                        let effect = Effect::of_more(principal.kind == Kind::Human);
                        let (new, old) = (principal.kind, before.kind);
                        self.add(effect, format!("principal {name} is a {new}, before a {old}"));
                    }
                    self.of_keys(name, &before.keys, &principal.keys);
                }
            }
        }
        for name in old.principals.keys().filter(|it| !new.principals.contains_key(*it)) {
            self.add(Effect::Tightens, format!("principal {name} is gone"));
        }
    }

    fn of_keys(&mut self, name: &str, old: &[KeyEntry], new: &[KeyEntry]) {
        for entry in new {
            let Some(before) = old.iter().find(|it| it.material == entry.material) else {
                self.add(
                    Effect::Loosens,
                    format!("{name} has a new key: {}", key_state::shown(entry)),
                );
                continue;
            };
            // What ends never is the same as what ends after everything.
            let starts_earlier = entry.not_before < before.not_before;
            let ends_later = match (entry.not_after, before.not_after) {
                (None, Some(_)) => true,
                (Some(now), Some(then)) => now > then,
                (_, None) => false,
            };
            if (entry.not_before, entry.not_after) != (before.not_before, before.not_after) {
                let effect = Effect::of_more(starts_earlier || ends_later);
                let key = key_state::shown(entry);
                self.add(effect, format!("a key of {name} counts at other times: {key}"));
            }
        }
        for entry in old.iter().filter(|it| !new.iter().any(|now| now.material == it.material)) {
            self.add(
                Effect::Tightens,
                format!("{name} has a key less: {}", key_state::shown(entry)),
            );
        }
    }

    /// Entries of a list: more of them is looser, or tighter.
    fn of_names(&mut self, what: &str, (old, new): (&[String], &[String]), more_is_looser: bool) {
        let [before, now] = [old, new].map(|it| it.iter().collect::<BTreeSet<_>>());
        let effect = Effect::of_more(more_is_looser);
        for name in now.difference(&before) {
            self.add(effect, format!("{name} {what}"));
        }
        for name in before.difference(&now) {
            self.add(effect.back(), format!("{name} {what} no more"));
        }
    }

    fn of_approvals(&mut self, old: &Policy, new: &Policy) {
        let is_asked = |it: &Policy| it.asks().approvals;
        match (is_asked(old), is_asked(new)) {
            (true, true) => {
                self.of_names("may approve", (&approvers(old), &approvers(new)), true);
            }
            (false, true) => {
                let names = approvers(new).join(", ");
                self.add(Effect::Tightens, format!("merges are approved by {names}"));
            }
            (_, false) => {}
        }
        let both = [old, new].map(|it| {
            let mut fields = fields(&it.merge.approvals);
            fields.remove("from");
            fields
        });
        // The tree is the strict form; of the two only one grows.
        let (before, now) = (both[0].get("on"), both[1].get("on"));
        if before != now {
            let effect = Effect::of_more(now.is_some_and(|it| it == "change"));
            self.add(effect, format!("approvals.on is {}, before {}", shown(now), shown(before)));
        }
        let rest = both.map(|mut it| {
            it.remove("on");
            it
        });
        self.of_fields("approvals", rest);
    }

    fn of_gates(&mut self, old: &Policy, new: &Policy) {
        let by_id = |policy: &Policy| -> BTreeMap<String, Map<String, Value>> {
            policy.gates.iter().map(|it| (it.id.clone(), fields(it))).collect()
        };
        let (before, now) = (by_id(old), by_id(new));
        for (id, fields) in &now {
            match before.get(id) {
                None => self.add(Effect::Tightens, format!("gate {id} is new")),
                Some(before) => self.of_gate(id, before, fields),
            }
        }
        for id in before.keys().filter(|it| !now.contains_key(*it)) {
            self.add(Effect::Loosens, format!("gate {id} is gone"));
        }
    }

    fn of_gate(&mut self, id: &str, old: &Map<String, Value>, new: &Map<String, Value>) {
        let [mut old, mut new] = [old, new].map(Clone::clone);
        let environments = [&mut old, &mut new].map(|it| names(it.remove("environments").as_ref()));
        // A gate without environments holds in every one.
        match environments {
            [before, now] if before == now => {}
            [before, now] => {
                let holds_in = |it: &[String]| match it {
                    [] => "every environment".to_owned(),
                    some => some.join(", "),
                };
                let widens = now.is_empty()
                    || (!before.is_empty() && before.iter().all(|it| now.contains(it)));
                let (now, before) = (holds_in(&now), holds_in(&before));
                let what = format!("gate {id} holds for {now}, before for {before}");
                self.add(Effect::of_more(!widens), what);
            }
        }
        // What hosts of another environment are asked for lies one level deeper.
        for fields in [&mut old, &mut new] {
            if let Some(Value::Object(hosts)) = fields.remove("hosts") {
                fields.extend(hosts);
            }
        }
        self.of_fields(&format!("gate {id}:"), [old, new]);
    }

    fn of_emergency(&mut self, old: &Policy, new: &Policy) {
        let list = |policy: &Policy, what: &str| names(fields(&policy.emergency).get(what));
        for (field, what) in [("oncall", "is on call"), ("skips", "may be skipped in an emergency")]
        {
            self.of_names(what, (&list(old, field), &list(new, field)), true);
        }
        let threshold = |it: &Policy| it.emergency.as_ref().map(|it| it.threshold);
        if let (Some(before), Some(now)) = (threshold(old), threshold(new))
            && before != now
        {
            let what = format!("an emergency takes {now} on call, before {before}");
            self.add(Effect::of_more(now < before), what);
        }
    }

    /// Fields by name: lists entry by entry, anything else as a whole.
    fn of_fields(&mut self, place: &str, [old, new]: [Map<String, Value>; 2]) {
        let keys: BTreeSet<_> = old.keys().chain(new.keys()).collect();
        for field in keys {
            let (before, now) = (old.get(field), new.get(field));
            if before == now {
                continue;
            }
            if [before, now].into_iter().flatten().all(Value::is_array) {
                self.of_entries(place, field, [before, now].map(names));
            } else {
                let effect = of_change(field, before, now);
                let what = format!("{place} {field} is {}, before {}", shown(now), shown(before));
                self.add(effect, what);
            }
        }
    }

    fn of_entries(&mut self, place: &str, field: &str, [old, new]: [Vec<String>; 2]) {
        let effect = of_growing(field);
        for name in new.iter().filter(|it| !old.contains(it)) {
            self.add(effect, format!("{place} {field} has {name}"));
        }
        for name in old.iter().filter(|it| !new.contains(it)) {
            self.add(effect.back(), format!("{place} {field} has {name} no more"));
        }
    }
}

/// A list's entries as text; nothing where there is no list.
fn names(value: Option<&Value>) -> Vec<String> {
    let items = value.and_then(Value::as_array).into_iter().flatten();
    items.map(|it| shown(Some(it))).collect()
}
