//! Keys that end soon: whoever merges with one wants to have another by then.
//!
//! **Invariant:** nothing is refused here; whether a key counts is asked where it is used.

use bowline_model::policy::{KeyEntry, KeyMaterial, Policy};
use jiff::Timestamp;

use crate::ssh_key::SshKey;
use crate::verify::WARN_BEFORE_EXPIRY;

/// More would bury everything else that people are told.
const TOLD_MAX: usize = 16;

/// What people should hear of keys of mergers that end soon. Where the merger has another key by then nobody has to do
/// anything, and nothing is said.
pub(crate) fn of_mergers(policy: &Policy, now: Timestamp) -> Vec<String> {
    let mergers = policy.merge.mergers.iter();
    let principals = mergers.filter_map(|name| Some((name, policy.principals.get(name)?)));
    let ends = principals.flat_map(|(name, it)| it.keys.iter().map(move |key| (name, it, key)));
    let soon = ends.filter_map(|(name, principal, key)| {
        let end = key.not_after;
        let end = end.filter(|it| *it > now && now.duration_until(*it) < WARN_BEFORE_EXPIRY)?;
        let goes_on = principal.keys.iter().any(|it| it.counts_at(end) && signs(policy, it));
        (!goes_on).then(|| {
            format!(
                "a key of {name:?}, who merges, ends {end}: have a new one signed into the policy"
            )
        })
    });
    soon.take(TOLD_MAX).collect()
}

/// Whether a key signs commits, as far as its kind and the list of revoked keys say.
fn signs(policy: &Policy, key: &KeyEntry) -> bool {
    let fingerprint = match &key.material {
        KeyMaterial::Ssh { line } | KeyMaterial::SshAuthority { line, .. } => {
            SshKey::from_line(line).ok().map(|it| it.fingerprint())
        }
        KeyMaterial::OpenPgp { fingerprint, .. } => Some(fingerprint.to_string()),
        // A bare key signs statements alone.
        KeyMaterial::Spki { .. } => None,
    };
    fingerprint.is_some_and(|it| !policy.revoked.keys.iter().any(|gone| gone.as_str() == it))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Law, Robot, Signer};

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

    #[test]
    fn a_key_that_has_a_successor_is_not_told_of() {
        let now = "2026-12-30T00:00:00Z".parse().unwrap();
        let fingerprint = Signer::new(7).key().fingerprint();
        let next = Signer::new(7).line();
        for (what, next, revoked, told) in [
            ("none", String::new(), "[]".to_owned(), 1),
            ("one", format!(", {{type: ssh, key: \"{next}\"}}"), "[]".to_owned(), 0),
            (
                "one that begins later",
                format!(", {{type: ssh, key: \"{next}\", notBefore: 2027-01-01T00:00:00Z}}"),
                "[]".to_owned(),
                1,
            ),
            (
                "one that ends as soon",
                format!(", {{type: ssh, key: \"{next}\", notAfter: 2026-12-31T00:00:00Z}}"),
                "[]".to_owned(),
                2,
            ),
            (
                "one that is revoked",
                format!(", {{type: ssh, key: \"{next}\"}}"),
                format!("[\"{fingerprint}\"]"),
                1,
            ),
            (
                "one that signs no commits",
                format!(", {{type: spki, key: \"{}\"}}", Robot::new(9).pem().replace('\n', "\\n")),
                "[]".to_owned(),
                1,
            ),
        ] {
            let line = Signer::new(1).line();
            let text = format!(
                "version: 1\nexpires: 2027-06-01T00:00:00Z\nrepoUri: git+https://git.example/x\n\
                 ref: refs/heads/main\nprincipals:\n  \
                 alice: {{kind: human, keys: [{{type: ssh, key: \"{line}\", notAfter: \
                 2026-12-31T00:00:00Z}}{next}]}}\n\
                 merge: {{mergers: [alice]}}\nrevoked: {{keys: {revoked}, commits: [], trees: []}}\n"
            );
            let policy = Policy::parse("policy.yaml", text.as_bytes()).unwrap();
            assert_eq!(of_mergers(&policy, now).len(), told, "{what}");
        }
    }
}
