//! Keys that end soon: whoever merges with one wants to have another by then.
//!
//! **Invariant:** nothing is refused here; whether a key counts is asked where it is used.

use bowline_model::policy::Policy;
use jiff::Timestamp;

use crate::verify::WARN_BEFORE_EXPIRY;

/// More would bury everything else that people are told.
const TOLD_MAX: usize = 16;

/// What people should hear of keys of mergers that end soon.
pub(crate) fn of_mergers(policy: &Policy, now: Timestamp) -> Vec<String> {
    let mergers = policy.merge.mergers.iter();
    let keys = mergers.filter_map(|name| Some((name, policy.principals.get(name)?)));
    let ends = keys.flat_map(|(name, it)| it.keys.iter().map(move |key| (name, key.not_after)));
    let soon = ends.filter_map(|(name, end)| {
        let end = end.filter(|it| *it > now && now.duration_until(*it) < WARN_BEFORE_EXPIRY)?;
        Some(format!(
            "a key of {name:?}, who merges, ends {end}: have a new one signed into the policy"
        ))
    });
    soon.take(TOLD_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Law;

    #[test]
    fn a_key_is_told_of_in_the_30_days_before_its_end() {
        let mut law = Law::default();
        let end = "2026-12-31T00:00:00Z";
        for it in law.principals.iter_mut().filter(|it| it.0 != "bob") {
            // Carol does not merge.
            it.3 = ", notAfter: 2026-12-31T00:00:00Z";
        }
        let policy = Policy::parse("policy.yaml", law.yaml().as_bytes()).unwrap();
        for (now, told) in [
            ("2026-11-30T00:00:00Z", 0),
            ("2026-12-01T00:00:01Z", 1),
            ("2026-12-30T23:59:59Z", 1),
            (end, 0),
        ] {
            let found = of_mergers(&policy, now.parse().unwrap());
            assert_eq!(found.len(), told, "{now}: {found:?}");
            assert!(found.iter().all(|it| it.contains("\"alice\"")), "{found:?}");
        }
    }
}
