//! Attestations: from a line of a note to a statement and the principals who signed it.
//!
//! **Invariant:** a line without a signature by a known key is nothing, whatever it says; so junk is
//! dropped before anything is counted.
//! **Invariant:** the payload is read only after its signature verified.

use std::collections::BTreeMap;

use bowline_model::byte_size::ByteSize;
use bowline_model::digest::Sha256;
use bowline_model::envelope::{Envelope, EnvelopeSignature};
use bowline_model::policy::{Kind, Policy};
use jiff::Timestamp;

use crate::armor;
use crate::dsse;
use crate::roll::{Holder, Roll, revokes};
use crate::sshsig;
use crate::statement::Statement;

/// The namespace in which people sign statements with SSH keys.
pub const APPROVAL_NAMESPACE: &str = "bowline-approval";

/// What an envelope that carries a statement says it is.
pub const STATEMENT_TYPE: &str = "application/vnd.in-toto+json";

/// One statement is signed by some; more are a way to keep a host busy.
pub(crate) const MOST_SIGNATURES: usize = 8;

/// A statement and who signed it.
#[derive(Debug, Clone)]
pub(crate) struct Attested {
    pub(crate) statement: Statement,
    /// Each principal once, by name.
    pub(crate) signers: BTreeMap<String, Signer>,
    /// Of the payload: what was said, whoever signed it and however often.
    pub(crate) sha256: Sha256,
}

/// A principal who signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signer {
    pub(crate) kind: Kind,
    pub(crate) fingerprint: String,
}

/// Whose signatures count, and when.
#[derive(Clone, Copy)]
pub(crate) struct Bench<'a> {
    /// The policy whose principals sign.
    pub(crate) policy: &'a Policy,
    /// Its keys.
    pub(crate) roll: &'a Roll,
    /// When their keys must count; `None` when that is asked later.
    pub(crate) at: Option<Timestamp>,
    /// No envelope is larger.
    pub(crate) largest: ByteSize,
}

/// Reads one line; `None` when nobody known signed a statement in it.
pub(crate) fn read(line: &[u8], bench: &Bench<'_>) -> Option<Attested> {
    let envelope = dsse::read_any(line, bench.largest).ok()?;
    if !is_statement(&envelope.payload_type) || envelope.signatures.len() > MOST_SIGNATURES {
        return None;
    }
    let pae = envelope.pae();
    let signers: BTreeMap<_, _> =
        envelope.signatures.iter().filter_map(|it| signer(it, &pae, bench)).collect();
    if signers.is_empty() {
        return None;
    }
    let statement = Statement::read(&envelope.payload)?;
    Some(Attested { statement, signers, sha256: Sha256::of(&envelope.payload) })
}

/// Whether a payload of this type is a statement; the plain name, or that of one predicate.
fn is_statement(payload_type: &str) -> bool {
    payload_type == STATEMENT_TYPE
        || payload_type
            .strip_prefix("application/vnd.in-toto.")
            .is_some_and(|rest| rest.ends_with("+json"))
}

/// Who made a signature, if anybody known did whose key counts.
fn signer(it: &EnvelopeSignature, pae: &[u8], bench: &Bench<'_>) -> Option<(String, Signer)> {
    let (holder, fingerprint) = made_by(it, pae, bench.roll)?;
    if revokes(bench.policy, &fingerprint) || bench.at.is_some_and(|at| !holder.counts_at(at)) {
        return None;
    }
    Some((holder.principal.clone(), Signer { kind: holder.kind, fingerprint }))
}

/// The holder of the key that made a signature. An SSH signature names its key; for others each bare
/// key is tried, for a hint at the key is a stranger's word.
fn made_by<'r>(it: &EnvelopeSignature, pae: &[u8], roll: &'r Roll) -> Option<(&'r Holder, String)> {
    if it.sig.starts_with(armor::BEGIN.as_bytes()) {
        // A signature by nobody known is not worth verifying.
        let claimed = sshsig::claimed_key(&it.sig)?;
        let holder = roll.holder(&claimed)?;
        let key = sshsig::verify_armored(&it.sig, APPROVAL_NAMESPACE, pae).ok()?;
        return (key == claimed).then(|| (holder, key.fingerprint()));
    }
    let (key, holder) = roll.bare_keys().find(|(key, _)| key.made(&it.sig, pae))?;
    Some((holder, key.fingerprint()))
}

/// An envelope whose signatures are still to be made.
pub fn unsigned(statement: &[u8]) -> Envelope {
    Envelope {
        payload_type: STATEMENT_TYPE.to_owned(),
        payload: statement.to_vec(),
        signatures: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{BEGINNING, Law, Robot, Signer, person_attests};

    const STATEMENT: &str = r#"{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"gitTree":"00"}}],"predicateType":"t","predicate":{}}"#;

    fn law() -> Policy {
        let mut law = Law { robots: vec![("ci", 7), ("scanner", 8)], ..Law::default() };
        law.principals.push(("dave", "human", 4, ", notAfter: 2026-11-01T00:00:01Z"));
        law.revoked = format!("[\"{}\"]", Signer::new(3).key().fingerprint());
        Policy::parse("policy.yaml", law.yaml().as_bytes()).unwrap()
    }

    /// Names of who signed a line, an hour after the beginning.
    fn who(line: &[u8]) -> Option<Vec<String>> {
        let (policy, at) = (law(), Timestamp::from_second(BEGINNING + 3_600).unwrap());
        let roll = Roll::of(&policy).unwrap();
        let bench =
            Bench { policy: &policy, roll: &roll, at: Some(at), largest: ByteSize::from_mib(1) };
        read(line, &bench).map(|it| it.signers.into_keys().collect())
    }

    #[test]
    fn whoever_signed_is_named_by_principal() {
        let names = |line: &[u8]| who(line).unwrap_or_default().join(" ");
        assert_eq!(names(&Robot::new(7).attest(STATEMENT)), "ci");
        assert_eq!(names(&person_attests(&[1], STATEMENT)), "alice");
        assert_eq!(names(&person_attests(&[1, 2, 1, 9], STATEMENT)), "alice bob");
        for nobody in [&[9][..], &[3], &[4], &[]] {
            assert_eq!(who(&person_attests(nobody, STATEMENT)), None, "{nobody:?}");
        }
        assert_eq!(who(&Robot::new(9).attest(STATEMENT)), None);
    }

    #[test]
    fn attack_17_only_the_signed_bytes_under_their_own_type_are_a_statement() {
        let good = String::from_utf8(Robot::new(7).attest(STATEMENT)).unwrap();
        let other = STATEMENT.replace("gitTree", "gitBlob");
        let other = String::from_utf8(Robot::new(9).attest(&other)).unwrap();
        let payload = |line: &str| line.split('"').nth(3).unwrap().to_owned();
        let lying = |id: &str| good.replace("{\"sig\"", &format!("{{\"keyid\":\"{id}\",\"sig\""));
        assert_eq!(who(lying("scanner").as_bytes()), Some(vec!["ci".to_owned()]), "a hint is none");
        for bad in [
            good.replace("vnd.in-toto+json", "vnd.in-toto.x+json"),
            good.replace("vnd.in-toto+json", "json"),
            good.replace(&payload(&good), &payload(&other)),
            good.replace("\"payload\":", "\"payload\":\"\",\"payload\":"),
            format!("{}{{}}", good.trim_end()),
            String::from_utf8(Robot::new(7).attest(&format!("{STATEMENT}{{}}"))).unwrap(),
            String::from_utf8(Robot::new(7).attest(&STATEMENT.replacen(
                '{',
                r#"{"_type":"x","#,
                1,
            )))
            .unwrap(),
        ] {
            assert_ne!(bad, good);
            assert_eq!(who(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn attack_17_what_was_signed_as_something_else_is_no_statement() {
        for payload_type in ["application/json", "application/vnd.bowline.policy+yaml", ""] {
            let payload_type = payload_type.to_owned();
            let unsigned = Envelope { payload_type, ..unsigned(STATEMENT.as_bytes()) };
            let sig = Robot::new(7).sign(&unsigned.pae());
            let signatures = vec![EnvelopeSignature { key_id: None, sig }];
            let line = dsse::write(&Envelope { signatures, ..unsigned });
            assert_eq!(who(&line), None);
        }
    }

    #[test]
    fn a_bundle_counts_as_the_envelope_in_it() {
        let line = String::from_utf8(Robot::new(7).attest(STATEMENT)).unwrap();
        let bundle = |kind: &str, material: &str| {
            format!(
                r#"{{"mediaType":"{kind}","verificationMaterial":{{{material}}},"dsseEnvelope":{}}}"#,
                line.trim_end()
            )
        };
        let by_key = r#""publicKey":{"hint":"x"}"#;
        let kind = "application/vnd.dev.sigstore.bundle.v0.3+json";
        for kind in [kind, "application/vnd.dev.sigstore.bundle+json;version=0.3"] {
            assert_eq!(who(bundle(kind, by_key).as_bytes()), Some(vec!["ci".to_owned()]), "{kind}");
        }
        assert_eq!(who(bundle("application/json", by_key).as_bytes()), None);
        assert_eq!(who(bundle(kind, r#""certificate":{}"#).as_bytes()), None);
    }
}
