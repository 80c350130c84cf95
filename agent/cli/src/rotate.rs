//! `bowline trust rotate`: other root keys take the place of those in force.
//!
//! **Invariant:** only a root that can be met is signed, and signatures of others stay as long as they
//! fit it.

use std::path::Path;

use anyhow::anyhow;
use bowline_host::door::files::{read, replace_cheaply};
use bowline_model::byte_size::ByteSize;
use bowline_model::policy::Policy;
use bowline_model::trust_root::{RepoIdentity, RootKeys};
use bowline_trust::new_root::{NewRoot, bytes_to_sign, extend};
use bowline_trust::root_in_force::{RootInForce, Standing};
use bowline_trust::ssh_key::SshKey;
use bowline_trust::{ROOT_NAMESPACE, dsse};
use serde::Serialize;

use crate::arguments::Rotate;
use crate::failure::{Failure, read_given};
use crate::keys;
use crate::root_signatures;
use crate::screen::Screen;
use crate::verify::{Trusted, read_trust};

/// As much as a host reads.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What `--json` prints.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    file: String,
    version: u64,
    threshold: usize,
    /// How many keys the new root has.
    keys: usize,
    /// Who signed: by name where the new root knows them, else by fingerprint.
    signed_by: Vec<String>,
    /// How far the root before it has signed it; nothing where that is not known.
    former: Option<Standing>,
    /// How far its own keys have.
    new: Standing,
}

/// Signs a new root with the given keys.
pub(crate) fn rotate(given: &Rotate, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let text = read_given(&given.root, "new root", FILE_BYTES_MAX)?;
    let keys: RootKeys = bowline_model::read::one(&given.root.display().to_string(), &text)
        .map_err(|faults| Failure::usage(faults).of("the new root cannot be used"))?;
    if keys.version < 2 {
        let what = anyhow!("{}: a new root has version 2 or more", given.root.display());
        return Err(Failure::usage(what).hint("write one more than that of the root in force"));
    }
    let new = NewRoot::of(&keys, repo(&given.file)?);
    let payload = new.payload();
    NewRoot::read(&payload).map_err(|what| {
        Failure::usage(anyhow!(what)).of("hosts would refuse the new root, nothing is signed")
    })?;
    let trusted = given.trust.as_deref().map(read_trust).transpose()?;
    let message = bytes_to_sign(&payload);
    let mut signatures = Vec::new();
    for key in keys::read(&given.keys)? {
        signatures.push(key.sign(ROOT_NAMESPACE, &message, screen)?);
    }
    let earlier = read(&given.file, FILE_BYTES_MAX).map_err(Failure::failed)?.unwrap_or_default();
    let file = extend(&earlier, &payload, &signatures).map_err(|what| {
        let hint = "where the last line was never merged, take it out and begin anew";
        let doing = format!("add root {} to {}", new.version, given.file.display());
        Failure::failed(anyhow!(what)).of(doing).hint(hint)
    })?;
    replace_cheaply(&given.file, &file, 0o644).map_err(Failure::failed)?;
    let report = Report::of(given, &new, &file, trusted.as_ref())?;
    if given.json {
        screen.json(&report)?;
    } else {
        report.show(screen)?;
    }
    Ok(0)
}

impl Report {
    fn of(
        given: &Rotate,
        new: &NewRoot,
        file: &[u8],
        trusted: Option<&Trusted>,
    ) -> Result<Self, Failure> {
        let unreadable = |what: String| Failure::failed(anyhow!(what)).of("read the file of roots");
        let standing = |root: &RootInForce| root.standing_of_line(file).map_err(Failure::failed);
        let former = RootInForce::former(file, trusted.map(|it| &it.root)).map_err(unreadable)?;
        let newest = RootInForce::newest(file).map_err(unreadable)?;
        Ok(Self {
            file: given.file.display().to_string(),
            version: new.version,
            threshold: new.threshold,
            keys: new.keys.len(),
            signed_by: signers(new, file)?,
            former: former.as_ref().map(standing).transpose()?,
            new: standing(&newest)?,
        })
    }

    fn show(&self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let Self { version, threshold, keys, .. } = self;
        let unknown = "not known here: --trust names the trust file with its keys".to_owned();
        screen.table(&[
            ("root", format!("version {version}, {threshold} of {keys} keys")),
            ("signed by", self.signed_by.join(", ")),
            ("former root", self.former.as_ref().map_or(unknown, root_signatures::line)),
            ("new root", root_signatures::line(&self.new)),
            ("file", self.file.clone()),
        ])?;
        match &self.former {
            Some(former) if former.is_met() && self.new.is_met() => {
                screen.note("note: enough of both have signed; hosts take it once it is merged")
            }
            _ => screen.note("note: hosts take it once enough keys of both have signed it"),
        }
    }
}

/// Repository and branch, by the policy beside the file of roots.
fn repo(file: &Path) -> Result<RepoIdentity, Failure> {
    let path = file.with_file_name("policy.yaml");
    let text = read_given(&path, "policy", FILE_BYTES_MAX)?;
    let policy = Policy::parse(&path.display().to_string(), &text)
        .map_err(|faults| Failure::failed(faults).of("the policy cannot be used"))?;
    Ok(RepoIdentity { uri: policy.repo_uri, ref_name: policy.ref_name })
}

/// Who signed the newest line: by name where the new root knows them, else by fingerprint.
fn signers(new: &NewRoot, file: &[u8]) -> Result<Vec<String>, Failure> {
    let line = file.split(|it| *it == b'\n').rfind(|it| !it.is_empty()).unwrap_or_default();
    let envelope = dsse::read(line, ByteSize::from_mib(1)).map_err(Failure::failed)?;
    let named = |fingerprint: String| {
        let is_it =
            |line: &str| SshKey::from_line(line).is_ok_and(|it| it.fingerprint() == fingerprint);
        let known = new.keys.iter().find(|it| is_it(&it.key)).map(|it| it.id.clone());
        known.unwrap_or(fingerprint)
    };
    Ok(envelope.signatures.into_iter().filter_map(|it| it.key_id).map(named).collect())
}
