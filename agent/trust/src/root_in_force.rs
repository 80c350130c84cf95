//! The root in force as whoever signs with its keys sees it: how many it takes, who signed, who is missing.
//!
//! **Invariant:** it is the one that hosts find: the newest of the file of roots, where that follows on the trust file.
//! **Invariant:** a newest root that too few have signed is asked all the same, for a policy beside it is its to sign;
//! what it lacks is told.

use std::sync::Arc;

use bowline_model::byte_size::ByteSize;
use bowline_model::envelope::Envelope;
use bowline_model::trust_root::TrustRoot;
use serde::Serialize;

use crate::dsse::{self, BadEnvelope};
use crate::new_root::NewRoot;
use crate::policy_change::POLICY_TYPE;
use crate::root_keys::{POLICY_NAMESPACE, ROOT_NAMESPACE, RootRing};
use crate::roots::Roots;
use crate::signer_key::SignerKey;
use crate::ssh_key::SshKey;
use crate::verdict::{Code, Refusal};

/// As much as a file of roots has, and any envelope that root keys signed.
const LARGEST: ByteSize = ByteSize::from_mib(1);

/// A root whose keys sign.
#[derive(Debug)]
pub struct RootInForce {
    version: u64,
    ring: RootRing,
    /// Why hosts would not take it, in which case they take the one before it.
    pub lacking: Option<String>,
}

/// How far a root's keys have signed something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// The root's version.
    pub version: u64,
    /// How many of its keys it takes.
    pub threshold: usize,
    /// Keys that signed, as the root names them.
    pub signed: Vec<String>,
    /// Keys that did not.
    pub missing: Vec<String>,
}

impl RootInForce {
    /// The root in force for a host with this trust file, where a branch has this file of roots, if any.
    ///
    /// # Errors
    /// Why hosts would refuse the file, other than that its newest root lacks signatures.
    pub fn of(trust: &TrustRoot, file: Option<&[u8]>) -> Result<Self, Refusal> {
        let roots = Roots::read(trust, file.map(Arc::from));
        match (roots, file) {
            (Ok(roots), _) => {
                let version = roots.version();
                Ok(Self { version, ring: roots.into_force(), lacking: None })
            }
            (Err(refusal), Some(file)) if refusal.code == Code::RootBelowThreshold => {
                let newest = Self::newest(file).map_err(|what| malformed(&what))?;
                Ok(Self { lacking: Some(refusal.detail), ..newest })
            }
            (Err(refusal), _) => Err(refusal),
        }
    }

    /// The newest root of a file, whatever it follows on.
    ///
    /// # Errors
    /// What cannot be read, for people.
    pub fn newest(file: &[u8]) -> Result<Self, String> {
        Self::nth_from_end(file, 0)?.ok_or_else(|| "it holds no root".to_owned())
    }

    /// The root that the newest one of a file takes the place of: the one before it in the file, or that of the trust
    /// file; `None` where it is not in there and no trust file of its version is known.
    ///
    /// # Errors
    /// What cannot be read, for people.
    pub fn former(file: &[u8], trust: Option<&TrustRoot>) -> Result<Option<Self>, String> {
        if let Some(before) = Self::nth_from_end(file, 1)? {
            return Ok(Some(before));
        }
        let next = Self::newest(file)?.version;
        let Some(trust) = trust.filter(|it| it.root.version.checked_add(1) == Some(next)) else {
            return Ok(None);
        };
        let ring = RootRing::of(&trust.root.keys, trust.root.threshold)?;
        Ok(Some(Self { version: trust.root.version, ring, lacking: None }))
    }

    /// Whether a key is one of its own.
    pub fn holds(&self, key: &SshKey) -> bool {
        self.ring.holds(&SignerKey::Ssh(key.clone()))
    }

    fn nth_from_end(file: &[u8], place: usize) -> Result<Option<Self>, String> {
        let mut lines = file.split(|it| *it == b'\n').filter(|it| !it.is_empty()).rev();
        let Some(line) = lines.nth(place) else { return Ok(None) };
        let envelope = dsse::read(line, LARGEST).map_err(|bad| bad.to_string())?;
        let NewRoot { version, threshold, keys, .. } = NewRoot::read(&envelope.payload)?;
        Ok(Some(Self { version, ring: RootRing::of(&keys, threshold)?, lacking: None }))
    }

    /// How far its keys signed a policy as it is; nobody did where there is no envelope, or one of another text.
    ///
    /// # Errors
    /// When the envelope cannot be read.
    pub fn standing_of_policy(
        &self,
        policy: &[u8],
        envelope: Option<&[u8]>,
    ) -> Result<Standing, BadEnvelope> {
        let envelope = envelope.map(|it| dsse::read(it, LARGEST)).transpose()?;
        let fits = |it: &Envelope| it.payload == policy && it.payload_type == POLICY_TYPE;
        Ok(self.standing_in(envelope.filter(fits).as_ref(), POLICY_NAMESPACE))
    }

    /// How far its keys signed a line that only root keys sign: a statement, or the newest root of a file of them.
    ///
    /// # Errors
    /// When the line cannot be read.
    pub fn standing_of_line(&self, lines: &[u8]) -> Result<Standing, BadEnvelope> {
        let line = lines.split(|it| *it == b'\n').rfind(|it| !it.is_empty()).unwrap_or_default();
        let envelope = dsse::read(line, LARGEST)?;
        Ok(self.standing_in(Some(&envelope), ROOT_NAMESPACE))
    }

    fn standing_in(&self, envelope: Option<&Envelope>, namespace: &str) -> Standing {
        let (signed, missing) = self.ring.parted(envelope, namespace);
        let threshold = self.ring.threshold();
        Standing { version: self.version, threshold, signed, missing }
    }
}

impl Standing {
    /// Whether enough signed.
    pub fn is_met(&self) -> bool {
        self.signed.len() >= self.threshold
    }
}

fn malformed(what: &str) -> Refusal {
    Refusal::of(Code::RootMalformed, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy_sign::{assemble, bytes_to_sign};
    use crate::sample::{Signer, World, new_root, root_line};

    const POLICY: &[u8] = b"version: 1\n";

    fn signed(seeds: &[u8]) -> Vec<u8> {
        let sign = |seed: &u8| Signer::new(*seed).sign(POLICY_NAMESPACE, &bytes_to_sign(POLICY));
        assemble(POLICY, &seeds.iter().map(sign).collect::<Vec<_>>()).unwrap()
    }

    /// A file with one root, of the keys 3, 4 and 5 of which it takes two.
    fn file(seeds: &[u8]) -> Vec<u8> {
        root_line(&new_root(2, &[3, 4, 5]), seeds).into_bytes()
    }

    fn names(standing: &Standing) -> (u64, usize, String, String) {
        let Standing { version, threshold, signed, missing } = standing;
        (*version, *threshold, signed.join(" "), missing.join(" "))
    }

    #[test]
    fn the_root_in_force_is_the_newest_that_follows() {
        let trust = World::new().root;
        for (roots, policy, expected) in [
            (None, &[1, 3][..], (1, 2, "alice", "bob")),
            (Some(file(&[1, 2, 3, 4])), &[1, 3], (2, 2, "root-3", "root-4 root-5")),
            (Some(file(&[1, 2, 3, 4])), &[1, 2], (2, 2, "", "root-3 root-4 root-5")),
        ] {
            let root = RootInForce::of(&trust, roots.as_deref()).unwrap();
            assert_eq!(root.lacking, None);
            assert_eq!(
                [1, 3].map(|it| root.holds(&Signer::new(it).key())),
                [roots.is_none(), roots.is_some()]
            );
            let envelope = signed(policy);
            let found = root.standing_of_policy(POLICY, Some(&envelope)).unwrap();
            let (version, threshold, signed, missing) = expected;
            assert_eq!(names(&found), (version, threshold, signed.to_owned(), missing.to_owned()));
            let nobody = root.standing_of_policy(b"other", Some(&envelope)).unwrap();
            assert_eq!((nobody.signed.len(), nobody.is_met()), (0, false));
            assert_eq!(root.standing_of_policy(POLICY, None).unwrap(), nobody);
        }
    }

    #[test]
    fn a_newest_root_that_lacks_signatures_is_asked_and_told() {
        let trust = World::new().root;
        let file = file(&[1, 3, 4]);
        let root = RootInForce::of(&trust, Some(&file)).unwrap();
        let lacking = root.lacking.clone().unwrap();
        assert!(lacking.contains("1 of 2 needed root keys signed root 2"), "{lacking}");
        let found = root.standing_of_policy(POLICY, Some(&signed(&[3, 5]))).unwrap();
        assert!(found.is_met(), "{found:?}");
        let refusal = RootInForce::of(&trust, Some(b"{}\n")).unwrap_err();
        assert_eq!(refusal.code, Code::RootMalformed);
    }

    #[test]
    fn a_rotation_is_the_former_roots_and_the_new_roots_to_sign() {
        let trust = World::new().root;
        let mut file = file(&[1, 3, 4]);
        let former = RootInForce::former(&file, Some(&trust)).unwrap().unwrap();
        let found = former.standing_of_line(&file).unwrap();
        assert_eq!(names(&found), (1, 2, "alice".to_owned(), "bob".to_owned()));
        let found = RootInForce::newest(&file).unwrap().standing_of_line(&file).unwrap();
        assert_eq!(names(&found), (2, 2, "root-3 root-4".to_owned(), "root-5".to_owned()));
        assert!(found.is_met());
        assert!(RootInForce::former(&file, None).unwrap().is_none());
        file.extend(root_line(&new_root(3, &[6]), &[3, 6]).into_bytes());
        let former = RootInForce::former(&file, None).unwrap().unwrap();
        let found = former.standing_of_line(&file).unwrap();
        assert_eq!(names(&found), (2, 2, "root-3".to_owned(), "root-4 root-5".to_owned()));
    }
}
