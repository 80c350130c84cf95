//! The roll of a policy: which key speaks for whom.
//!
//! **Invariant:** a key speaks for one principal. Two people behind one key could not be told apart.
//! **Invariant:** a key is known by what it is, not by how it is written: in two forms it is still one key.

use std::collections::{BTreeMap, BTreeSet};

use bowline_model::policy::{Fingerprint, KeyEntry, KeyMaterial, Kind, Policy};
use jiff::Timestamp;

use crate::bad_signature::BadSignature;
use crate::openpgp::{self, Certificate, SigningKey};
use crate::signer_key::{SignerKey, shown};
use crate::spki::SpkiKey;
use crate::ssh_certificate::SshCertificate;
use crate::ssh_key::{BadKey, SshKey};

/// Who holds a key, and when it counts.
#[derive(Debug, Clone)]
pub(crate) struct Holder {
    pub(crate) principal: String,
    pub(crate) kind: Kind,
    entry: KeyEntry,
    /// What the key says of itself, where it is of a kind that does.
    own: Option<SigningKey>,
}

impl Holder {
    /// Whether the key counts at an instant, by the policy and by its own word.
    pub(crate) fn counts_at(&self, instant: Timestamp) -> bool {
        let own = self.own.as_ref();
        self.entry.counts_at(instant) && own.is_none_or(|it| it.counts_at(instant.as_second()))
    }

    /// Whether what a key signed counts at an instant: the key must count then, and when it signed by its own word.
    pub(crate) fn counts_for(&self, key: &SignerKey, instant: Timestamp) -> bool {
        let signed = match key {
            SignerKey::Ssh(_) | SignerKey::Certified(_) => Ok(instant),
            SignerKey::OpenPgp { at, .. } => Timestamp::from_second(*at),
        };
        key.counts_at(instant)
            && self.counts_at(instant)
            && signed.is_ok_and(|it| self.counts_at(it))
    }
}

/// All usable keys of a policy.
#[derive(Debug, Default)]
pub(crate) struct Roll {
    holders: BTreeMap<Vec<u8>, Holder>,
    /// Bare keys, which sign attestations and never commits.
    bare: BTreeMap<SpkiKey, Holder>,
    /// Every key of either kind, by fingerprint.
    prints: BTreeMap<String, Holder>,
    /// The keys within certificates of `OpenPGP`, by their own names.
    signing: BTreeMap<openpgp::Fingerprint, Holder>,
    certificates: Vec<Certificate>,
    /// Each key itself, and with whom it stands.
    materials: BTreeMap<Vec<u8>, String>,
    /// The keys of authorities themselves.
    vouching: BTreeSet<Vec<u8>>,
    /// For whom an SSH authority may vouch: by its key, then by the names in its certificates.
    authorities: BTreeMap<Vec<u8>, BTreeMap<String, Holder>>,
    /// Keys that the policy names and nobody here can use.
    pub(crate) warnings: Vec<String>,
}

impl Roll {
    /// Reads every key of a policy.
    pub(crate) fn of(policy: &Policy) -> Result<Self, String> {
        let mut roll = Self::default();
        for (name, principal) in &policy.principals {
            for entry in &principal.keys {
                roll.add(name, principal.kind, entry)?;
            }
        }
        // Whoever holds an authority's key could sign as anybody it vouches for.
        let both = roll.vouching.iter().find_map(|it| roll.materials.get(it));
        match both {
            Some(name) => {
                Err(format!("the key of principal {name:?} is the key of an authority too"))
            }
            None => Ok(roll),
        }
    }

    fn add(&mut self, name: &str, kind: Kind, entry: &KeyEntry) -> Result<(), String> {
        let holder = Holder { principal: name.to_owned(), kind, entry: entry.clone(), own: None };
        match &entry.material {
            KeyMaterial::Ssh { line } => {
                if let Some(key) = self.usable(name, SshKey::from_line(line))? {
                    self.stands_once(name, key.material())?;
                    self.prints.insert(key.fingerprint(), holder.clone());
                    self.holders.insert(key.as_wire().to_vec(), holder);
                }
            }
            KeyMaterial::Spki { pem } => {
                if let Some(key) = self.usable(name, SpkiKey::from_pem(pem))? {
                    self.stands_once(name, key.material())?;
                    self.prints.insert(key.fingerprint(), holder.clone());
                    self.bare.insert(key, holder);
                }
            }
            KeyMaterial::SshAuthority { line, names } => {
                if let Some(key) = self.usable(name, SshKey::from_line(line))? {
                    self.add_authority(&holder, &key, names)?;
                }
            }
            KeyMaterial::OpenPgp { fingerprint, text } => {
                let read = certificate(fingerprint, text).map_err(|bad| match bad {
                    BadSignature::Unsupported(what) => BadKey::Unsupported(what),
                    bad => BadKey::Malformed(format!("OpenPGP key {fingerprint} ({bad})")),
                });
                if let Some(certificate) = self.usable(name, read)? {
                    self.add_certificate(&holder, certificate)?;
                }
            }
        }
        Ok(())
    }

    /// Notes a key itself, unless it is noted in this form or another.
    fn stands_once(&mut self, name: &str, material: &[u8]) -> Result<(), String> {
        match self.materials.insert(material.to_vec(), name.to_owned()) {
            Some(other) => Err(twice(&other, name)),
            None => Ok(()),
        }
    }

    /// Adds the names that an authority may vouch for, unless it does for one of them already.
    fn add_authority(
        &mut self,
        holder: &Holder,
        key: &SshKey,
        names: &[String],
    ) -> Result<(), String> {
        self.vouching.insert(key.material().to_vec());
        let vouched = self.authorities.entry(key.as_wire().to_vec()).or_default();
        let known = |it: &String| vouched.insert(it.clone(), holder.clone());
        match names.iter().find_map(known) {
            Some(other) => Err(twice(&other.principal, &holder.principal)),
            None => Ok(()),
        }
    }

    /// Adds the keys of a certificate, unless somebody holds one of them already.
    fn add_certificate(&mut self, holder: &Holder, certificate: Certificate) -> Result<(), String> {
        let name = &holder.principal;
        if self.certificates.iter().any(|it| it.fingerprint == certificate.fingerprint) {
            let fingerprint = certificate.fingerprint_text();
            return Err(format!("principal {name:?}: the key {fingerprint} stands twice"));
        }
        if certificate.keys.is_empty() {
            let warning = "the OpenPGP key names no key in it that may sign";
            self.warnings.push(format!("a key of principal {name:?} is of no use: {warning}"));
        }
        for key in &certificate.keys {
            let holder = Holder { own: Some(key.clone()), ..holder.clone() };
            if let Some(material) = key.material() {
                self.stands_once(&holder.principal, material)?;
            }
            self.signing.insert(key.fingerprint(), holder);
        }
        self.certificates.push(certificate);
        Ok(())
    }

    /// A key that was read; one of a kind that is not verified here is of no use, and said to be.
    fn usable<K>(&mut self, name: &str, key: Result<K, BadKey>) -> Result<Option<K>, String> {
        match key {
            Ok(key) => Ok(Some(key)),
            Err(BadKey::Unsupported(what)) => {
                let warning =
                    format!("a key of principal {name:?} is of no use: {what} is not supported");
                self.warnings.push(warning);
                Ok(None)
            }
            Err(bad) => Err(format!("principal {name:?}: {bad}")),
        }
    }

    /// All bare keys and who holds them.
    pub(crate) fn bare_keys(&self) -> impl Iterator<Item = (&SpkiKey, &Holder)> {
        self.bare.iter()
    }

    /// Who holds the key of a fingerprint.
    pub(crate) fn by_fingerprint(&self, fingerprint: &str) -> Option<&Holder> {
        self.prints.get(fingerprint)
    }

    /// All certificates that may have signed a commit.
    pub(crate) fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// Who holds the key that signed a commit.
    pub(crate) fn holder_of(&self, key: &SignerKey) -> Option<&Holder> {
        match key {
            SignerKey::Ssh(key) => self.holder(key),
            SignerKey::Certified(it) => self.certified(it),
            SignerKey::OpenPgp { signing, .. } => self.signing.get(signing),
        }
    }

    /// The principal for whom an authority vouches in a certificate; nobody where it names two of them.
    fn certified(&self, certificate: &SshCertificate) -> Option<&Holder> {
        let vouched = self.authorities.get(certificate.authority.as_wire())?;
        let mut named = certificate.principals.iter().filter_map(|it| vouched.get(it));
        let first = named.next()?;
        named.all(|it| it.principal == first.principal).then_some(first)
    }

    /// Whether the key that signed a commit says itself that it was taken back.
    pub(crate) fn is_taken_back(&self, key: &SignerKey) -> bool {
        let SignerKey::OpenPgp { primary, signing, .. } = key else {
            return false;
        };
        let own = self.signing.get(signing).and_then(|it| it.own.as_ref());
        let mut whole = self.certificates.iter().filter(|it| it.fingerprint == *primary);
        own.is_some_and(|it| it.is_revoked) || whole.any(|it| it.is_revoked)
    }

    /// Who holds an SSH key.
    pub(crate) fn holder(&self, key: &SshKey) -> Option<&Holder> {
        self.holders.get(key.as_wire())
    }
}

fn twice(one: &str, two: &str) -> String {
    format!("one key stands twice, with {one:?} and with {two:?}")
}

/// Says what a host would refuse about the keys of a policy: whoever signs one wants to know before.
///
/// # Errors
/// When a key is broken, or stands twice.
pub fn check_keys(policy: &Policy) -> Result<(), String> {
    Roll::of(policy).map(drop)
}

/// The one certificate of an entry, which must have the name that the entry gives it.
fn certificate(name: &Fingerprint, text: &str) -> Result<Certificate, BadSignature> {
    let malformed = |what: String| BadSignature::Malformed(what);
    let found = Certificate::read_armored(text.trim().as_bytes())?;
    match <[Certificate; 1]>::try_from(found) {
        Ok([only]) if shown(&only.fingerprint) == name.as_str() => Ok(only),
        Ok([other]) => Err(malformed(format!("its fingerprint is {}", other.fingerprint_text()))),
        Err(several) => Err(malformed(format!("it holds {} keys", several.len()))),
    }
}

/// Whether a policy revokes a key.
pub(crate) fn revokes(policy: &Policy, fingerprint: &str) -> bool {
    policy.revoked.keys.iter().map(Fingerprint::as_str).any(|it| it == fingerprint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::openpgp::{Pgp, Words, armored, packet};
    use crate::sample::{Law, Robot, Signer};

    fn roll_of(yaml: &str) -> Result<Roll, String> {
        Roll::of(&Policy::parse("policy.yaml", yaml.as_bytes()).unwrap())
    }

    #[test]
    fn every_key_leads_to_its_principal() {
        let roll = roll_of(&Law::default().yaml()).unwrap();
        let name = |seed| roll.holder(&Signer::new(seed).key()).map(|it| it.principal.clone());
        assert_eq!(name(2).as_deref(), Some("bob"));
        assert_eq!(name(9), None);
    }

    fn with_openpgp(fingerprint: &str, packets: &[u8]) -> String {
        let block = armored("PUBLIC KEY BLOCK", packets);
        let key = format!("{{type: openpgp, fingerprint: \"{fingerprint}\", key: {block:?}}}");
        let dave = format!("principals:\n  dave: {{kind: forge, keys: [{key}]}}\n");
        Law::default().yaml().replace("principals:\n", &dave)
    }

    #[test]
    fn an_openpgp_key_is_the_one_that_its_entry_names_and_stands_once() {
        let [dave, other] = [5, 6].map(Pgp::new);
        let whole = dave.certificate("Dave", &Words::usual(0x13));
        let both = [whole.clone(), other.certificate("Other", &Words::usual(0x13))].concat();
        let roll = roll_of(&with_openpgp(&dave.name(), &whole)).unwrap();
        assert_eq!((roll.certificates().len(), roll.warnings.len()), (1, 0));
        let twice = with_openpgp(&dave.name(), &whole);
        let twice = twice.replace("  dave:", &format!("  {}\n  dave:", twice_of(&twice)));
        let version_6 = packet(6, &[6, 0, 0, 0, 0, 27]);
        for (what, yaml, expected) in [
            ("another's name", with_openpgp(&other.name(), &whole), Err("its fingerprint is")),
            ("two keys", with_openpgp(&dave.name(), &both), Err("it holds 2 keys")),
            ("none", with_openpgp(&dave.name(), b""), Err("it holds 0 keys")),
            ("two principals", twice, Err("stands twice")),
            ("malformed", with_openpgp(&dave.name(), b"\xc6"), Err("malformed")),
            ("of no word", with_openpgp(&dave.name(), &packet(6, &dave.body())), Ok("may sign")),
            ("version 6", with_openpgp(&dave.name(), &version_6), Ok("version 6")),
        ] {
            match (roll_of(&yaml), expected) {
                (Ok(roll), Ok(warning)) => assert!(roll.warnings[0].contains(warning), "{what}"),
                (Err(bad), Err(expected)) => assert!(bad.contains(expected), "{what}: {bad}"),
                (found, _) => panic!("{what}: {found:?}"),
            }
        }
    }

    #[test]
    fn an_authority_vouches_for_a_name_once_and_is_nobodys_key() {
        let key = |seed| Signer::new(seed).line();
        let vouching = |who: &str, seed, name: &str| {
            let entry = format!("{{type: ssh-ca, key: \"{}\", principals: [{name}]}}", key(seed));
            format!("principals:\n  {who}: {{kind: human, keys: [{entry}]}}\n")
        };
        let dave = vouching("dave", 6, "dave@ops");
        let two = |more: String| {
            let both = dave.clone() + more.trim_start_matches("principals:\n");
            roll_of(&Law::default().yaml().replace("principals:\n", &both)).map(|_| ())
        };
        assert_eq!(two(vouching("erin", 6, "erin@ops")), Ok(()));
        assert_eq!(two(vouching("erin", 7, "dave@ops")), Ok(()));
        for (what, more, expected) in [
            ("one name twice", vouching("erin", 6, "dave@ops"), "stands twice"),
            ("the key of Alice", vouching("erin", 1, "erin@ops"), "key of an authority"),
        ] {
            assert!(two(more).is_err_and(|it| it.contains(expected)), "{what}");
        }
    }

    #[test]
    fn a_key_in_two_forms_is_one_key() {
        // Alice's key, as the PEM of a robot; and as that of an authority.
        let material = Signer::new(1).key().material().to_vec();
        let pem = crate::sample::robot_pem(&material).replace('\n', "\\n");
        let yaml = Law::default().yaml();
        let bare = format!("{{kind: robot, keys: [{{type: spki, key: \"{pem}\"}}]}}");
        for who in ["alice", "zoe"] {
            let twice = if who == "alice" {
                yaml.replacen("}]}", &format!("}}, {{type: spki, key: \"{pem}\"}}]}}"), 1)
            } else {
                yaml.replace("principals:\n", &format!("principals:\n  zoe: {bare}\n"))
            };
            assert_ne!(twice, yaml);
            let found = roll_of(&twice).map(drop);
            assert!(found.is_err_and(|it| it.contains("one key stands twice")), "{who}");
        }
        let pem = Robot::new(7).pem().replace('\n', "\\n");
        let other =
            bare.replace(&bare[bare.find("key: ").unwrap()..], &format!("key: \"{pem}\"}}]}}"));
        let fine = yaml.replace("principals:\n", &format!("principals:\n  zoe: {other}\n"));
        assert!(roll_of(&fine).is_ok());
    }

    /// The line of Dave, as that of Erin.
    fn twice_of(yaml: &str) -> String {
        let line = yaml.lines().find(|it| it.starts_with("  dave:")).unwrap();
        line.trim().replacen("dave", "erin", 1)
    }

    #[test]
    fn a_key_of_an_unsupported_kind_is_a_warning_and_a_broken_one_an_error() {
        let yaml = Law::default().yaml();
        let carol = Signer::new(3).line();
        let roll = roll_of(&yaml.replace(&carol, "ssh-dss AAAAB3NzaC1kc3M=")).unwrap();
        assert_eq!(roll.warnings.len(), 1, "{:?}", roll.warnings);
        assert!(roll_of(&yaml.replace(&carol, "ssh-ed25519 AAAA")).is_err());
        assert!(roll_of(&yaml.replace(&carol, &Signer::new(1).line())).is_err());
    }
}
