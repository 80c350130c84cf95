//! A look at one commit or tag, for people: what its signature is worth against a list of keys.
//!
//! **Invariant:** `valid` means: the signature verifies, and its key is on the list for that date.
//! **Invariant:** nothing here knows a policy; `valid` never means "may be deployed".

use bowline_model::digest::Sha256;
use jiff::Timestamp;
use serde::Serialize;

use crate::commit::{Commit, format_of};
use crate::key_file::{ListedKey, Role};
use crate::keys::Keys;
use crate::name_patterns;
use crate::openpgp::{self, Standing};
use crate::signature::{BadSignature, Format, GIT_NAMESPACE};
use crate::signer_key::shown;
use crate::ssh_certificate::SshCertificate;
use crate::ssh_key::SshKey;
use crate::sshsig::{self, Proved};
use crate::tag::{self, Tag};

/// What a look at a commit or a tag found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inspection {
    /// The kind of signature: `ssh`, `openpgp`, `x509`, `unknown`; `none` without one.
    pub format: &'static str,
    /// What it is worth.
    pub result: Worth,
    /// What a tag says that it is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The fingerprint of the key that made it, once it verified; of `OpenPGP` that of the primary key.
    pub key: Option<String>,
    /// SHA-256 of the bytes that the signature covers.
    pub payload_sha256: Option<Sha256>,
    /// Why the result is what it is.
    pub reason: String,
}

/// What a signature is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Worth {
    /// It verifies, by a listed key.
    Valid,
    /// It does not verify, or the key is not listed for that date.
    Invalid,
    /// There is none.
    Unsigned,
    /// The commit or its signature is not of the one strict form.
    Malformed,
    /// It is of a kind that nobody here can verify.
    Unsupported,
}

/// What is told of a key that was not yet, or no longer, to be believed.
const NOT_THEN: &str = "the signature verifies, but its key did not count at its date";

/// What is told of a key that was taken back, by its own word or by the list.
const REVOKED: &str = "the signature verifies, but its key is revoked";

/// What there is to look at, of a commit or of a tag.
struct Signed {
    tag: Option<String>,
    time: i64,
    signature: Option<Vec<u8>>,
    payload: Vec<u8>,
}

impl Signed {
    fn read(raw: &[u8]) -> Result<Self, String> {
        if tag::is_one(raw) {
            let tag = Tag::parse(raw).map_err(|bad| format!("the tag is malformed: {bad}"))?;
            let Tag { name, time, signature, payload } = tag;
            return Ok(Self { tag: Some(name), time, signature, payload });
        }
        let commit = Commit::parse(raw, format_of(raw));
        let commit = commit.map_err(|bad| format!("the commit is malformed: {bad}"))?;
        let Commit { time, signature, payload, .. } = commit;
        Ok(Self { tag: None, time, signature, payload })
    }
}

/// Looks at a raw object: a commit, or an annotated tag.
pub fn inspect(raw: &[u8], keys: &Keys) -> Inspection {
    let signed = match Signed::read(raw) {
        Ok(signed) => signed,
        Err(reason) => {
            return Inspection {
                format: "none",
                result: Worth::Malformed,
                tag: None,
                key: None,
                payload_sha256: None,
                reason,
            };
        }
    };
    let format = signed.signature.as_deref().map_or("none", |it| Format::of(it).as_str());
    let judged = judge(&signed, keys);
    let (result, key, reason) =
        judged.unwrap_or_else(|bad| (worth_of(&bad), None, bad.to_string()));
    let payload_sha256 = Some(Sha256::of(&signed.payload));
    Inspection { format, result, tag: signed.tag, key, payload_sha256, reason }
}

impl Inspection {
    /// Demands that a tag says it is called what it is offered as: only its own word on that is signed.
    #[must_use]
    pub fn offered_as(mut self, name: &str) -> Self {
        if let Some(tag) = self.tag.as_deref().filter(|it| *it != name)
            && self.result == Worth::Valid
        {
            self.reason = format!("the tag is signed as {tag:?}, and offered as {name:?}");
            self.result = Worth::Invalid;
        }
        self
    }
}

fn worth_of(bad: &BadSignature) -> Worth {
    match bad {
        BadSignature::Missing => Worth::Unsigned,
        BadSignature::Malformed(_) => Worth::Malformed,
        BadSignature::Unsupported(_) => Worth::Unsupported,
        BadSignature::Unknown(_) | BadSignature::Invalid(_) => Worth::Invalid,
    }
}

/// A worth, the key once it is known, and why.
type Judged = (Worth, Option<String>, String);

fn judge(signed: &Signed, keys: &Keys) -> Result<Judged, BadSignature> {
    let signature = signed.signature.as_deref().ok_or(BadSignature::Missing)?;
    match Format::of(signature) {
        Format::Ssh => sshsig::prove(signature, GIT_NAMESPACE, &signed.payload)
            .map(|proved| judge_ssh(&proved, signed, keys)),
        Format::OpenPgp => judge_openpgp(signature, signed, keys),
        other => Err(other.unsupported()),
    }
}

fn judge_openpgp(signature: &[u8], signed: &Signed, keys: &Keys) -> Result<Judged, BadSignature> {
    let made = openpgp::verify_armored(signature, &signed.payload, &keys.openpgp)?;
    let names = [made.certificate.fingerprint, made.key.fingerprint()].map(|it| shown(&it));
    let standing = if keys.revoked.holds_any(&names) {
        Standing::Revoked
    } else {
        made.stands_at(signed.time)
    };
    let (worth, reason) = match standing {
        Standing::Counts => (Worth::Valid, format!("signed by {:?}", made.certificate.shown())),
        Standing::NotThen => (Worth::Invalid, NOT_THEN.to_owned()),
        Standing::Revoked => (Worth::Invalid, REVOKED.to_owned()),
    };
    Ok((worth, Some(made.certificate.fingerprint_text()), reason))
}

fn judge_ssh(proved: &Proved, signed: &Signed, keys: &Keys) -> Judged {
    let (key, judged) = match proved {
        Proved::Key(key) => (key, judge_key(key, signed, &keys.ssh)),
        Proved::Certified(it) => (&it.key, judge_certificate(it, signed, &keys.ssh)),
    };
    let names = match proved {
        Proved::Key(key) => vec![key.fingerprint()],
        Proved::Certified(it) => vec![it.key.fingerprint(), it.authority.fingerprint()],
    };
    let judged = if keys.revoked.holds_any(&names) { Err(REVOKED) } else { judged };
    let (worth, reason) = match judged {
        Ok(name) => (Worth::Valid, format!("signed by {name:?}")),
        Err(why) => (Worth::Invalid, why.to_owned()),
    };
    (worth, Some(key.fingerprint()), reason)
}

/// The name of a key that is listed for the commit's date, or why there is none.
fn judge_key<'a>(key: &SshKey, signed: &Signed, keys: &'a [ListedKey]) -> Result<&'a str, &'a str> {
    let is_it = |it: &&ListedKey| it.role == Role::Signer && it.key == *key;
    let mut listed = keys.iter().filter(is_it).peekable();
    listed.peek().ok_or("the signature verifies, but its key is not among the given ones")?;
    let found = listed.find(|it| counts_at(it, signed.time));
    found.map(|it| it.name.as_str()).ok_or(NOT_THEN)
}

/// The name in a certificate for which a listed authority may vouch, or why there is none.
fn judge_certificate<'a>(
    certificate: &'a SshCertificate,
    signed: &Signed,
    keys: &[ListedKey],
) -> Result<&'a str, &'static str> {
    let is_it = |it: &&ListedKey| it.role == Role::Authority && it.key == certificate.authority;
    let listed: Vec<_> = keys.iter().filter(is_it).collect();
    if listed.is_empty() {
        return Err(
            "the signature verifies, but its certificate is by none of the given authorities",
        );
    }
    let names = &certificate.principals;
    let mean = |it: &&ListedKey| names.iter().find(|name| name_patterns::mean(&it.name, name));
    let mut vouched = listed.iter().copied().filter_map(|it| Some((it, mean(&it)?))).peekable();
    vouched
        .peek()
        .ok_or("the signature verifies, but its authority may not vouch for that name")?;
    let counts = |it: &ListedKey| {
        let time = Timestamp::from_second(signed.time);
        counts_at(it, signed.time) && time.is_ok_and(|time| certificate.counts_at(time))
    };
    let found = vouched.find(|(it, _)| counts(it));
    found
        .map(|(_, name)| name.as_str())
        .ok_or("the signature verifies, but its certificate did not count at its date")
}

fn counts_at(listed: &ListedKey, seconds: i64) -> bool {
    let Ok(time) = Timestamp::from_second(seconds) else {
        return false;
    };
    // Both ends belong to the window, as in OpenSSH.
    listed.valid_after.is_none_or(|first| first <= time)
        && listed.valid_before.is_none_or(|last| time <= last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{BEGINNING, Draft, HOUR, Signer, World};

    fn raw() -> String {
        Draft::on(&World::new().anchor, BEGINNING + HOUR).raw()
    }

    fn keys(options: &str, seed: u8) -> Keys {
        let line = format!("alice {options} {}", Signer::new(seed).line());
        Keys::read(line.as_bytes()).unwrap()
    }

    #[test]
    fn a_signature_is_valid_by_a_listed_key_on_its_date_only() {
        for (options, seed, expected) in [
            ("", 1, Worth::Valid),
            ("", 2, Worth::Invalid),
            ("namespaces=\"file\"", 1, Worth::Invalid),
            ("cert-authority", 1, Worth::Invalid),
            ("valid-after=\"20261101Z\",valid-before=\"20261102Z\"", 1, Worth::Valid),
            ("valid-before=\"20261101Z\"", 1, Worth::Invalid),
            ("valid-after=\"20261102Z\"", 1, Worth::Invalid),
        ] {
            let found = inspect(raw().as_bytes(), &keys(options, seed));
            assert_eq!(found.result, expected, "{options} {seed}: {found:?}");
            assert_eq!(found.key, Some(Signer::new(1).key().fingerprint()));
        }
    }

    #[test]
    fn what_was_found_is_told_in_the_words_of_the_contract() {
        let value = serde_json::to_value(inspect(raw().as_bytes(), &keys("", 1))).unwrap();
        assert_eq!((&value["format"], &value["result"]), (&"ssh".into(), &"valid".into()));
        assert_eq!(value["payloadSha256"].as_str().map(str::len), Some(64));
        let nothing = inspect(b"hello", &Keys::default());
        assert_eq!((nothing.format, nothing.result), ("none", Worth::Malformed));
    }

    #[test]
    fn the_payload_is_everything_but_the_signature() {
        let draft = Draft::on(&World::new().anchor, BEGINNING + HOUR);
        let found = inspect(draft.raw().as_bytes(), &Keys::default());
        assert_eq!(found.payload_sha256, Some(Sha256::of(draft.payload().as_bytes())));
    }
}
