//! Who of a root's keys has signed something, and who is missing.
//!
//! **Invariant:** the root that is asked is the one in force: the newest of `.bowline/root.jsonl` that follows on the
//! trust file's, as hosts find it.

use std::path::Path;

use bowline_host::door::files::read;
use bowline_trust::root_in_force::{RootInForce, Standing};

use crate::failure::Failure;
use crate::keys::RootKey;
use crate::screen::Screen;
use crate::verify::Trusted;

/// As much as a host reads.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The root in force, by the file of roots that lies beside a policy.
pub(crate) fn beside(policy: &Path, trusted: &Trusted) -> Result<RootInForce, Failure> {
    let path = policy.with_file_name("root.jsonl");
    let file = read(&path, FILE_BYTES_MAX).map_err(Failure::failed)?;
    in_force(trusted, file.as_deref())
}

/// The root in force, by a file of roots.
pub(crate) fn in_force(trusted: &Trusted, file: Option<&[u8]>) -> Result<RootInForce, Failure> {
    RootInForce::of(&trusted.root, file).map_err(|refusal| {
        let hint = refusal.code.hint();
        Failure::failed(anyhow::anyhow!("{refusal}"))
            .of("hosts would refuse the repository's roots")
            .hint(hint)
    })
}

/// Says what the newest root lacks, if anything.
pub(crate) fn warn(root: &RootInForce, screen: &mut Screen<'_>) -> Result<(), Failure> {
    match lacking(root) {
        Some(what) => screen.note(format_args!("warning: {what}")),
        None => Ok(()),
    }
}

/// Says which of the keys that are to sign are none of the root's.
pub(crate) fn warn_of_strangers(
    root: &RootInForce,
    keys: &[RootKey],
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    for key in keys.iter().filter(|it| !root.holds(it.key())) {
        screen.note(format_args!(
            "warning: {} is no key of the root in force: what it signs counts for nothing",
            key.file.display()
        ))?;
    }
    Ok(())
}

/// What the newest root lacks, for people.
pub(crate) fn lacking(root: &RootInForce) -> Option<String> {
    let why = root.lacking.as_ref()?;
    Some(format!("hosts do not take the newest root yet: {why}"))
}

/// One line: how many signed of how many it takes, and who could.
pub(crate) fn line(standing: &Standing) -> String {
    let Standing { version, threshold, signed, missing } = standing;
    let names = |it: &[String]| if it.is_empty() { "nobody".to_owned() } else { it.join(", ") };
    // The first root is the one in the trust file, and has no name but that.
    let which = match version {
        1 => "root keys".to_owned(),
        later => format!("keys of root {later}"),
    };
    let mut line = format!("{} of {threshold} {which}: {}", signed.len(), names(signed));
    if !standing.is_met() {
        line = format!("{line}; {} more of {}", threshold - signed.len(), names(missing));
    }
    line
}
