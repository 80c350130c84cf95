//! `bowline attest provenance`: who built artifacts, and from which commit, as SLSA provenance.
//!
//! **Invariant:** an artifact is known by the digest of what lies there, not by its name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use bowline_host::door::files::read_part;
use bowline_model::digest::{Sha256, Sha256Stream};
use bowline_model::policy::Rule;
use bowline_model::policy::predicate::PROVENANCE;
use serde_json::{Map, Value, json};

use super::arguments::Provenance;
use super::case::Case;
use super::finding::Finding;
use super::statement::{self, Claim};
use crate::failure::Failure;
use crate::screen::Screen;

/// As many subjects as a host reads in one statement.
const ARTIFACTS_MAX: usize = 4_096;

/// Read at once: little memory, and few reads for a large file.
const PIECE_BYTES: usize = 4 << 20;

/// Larger than any release that a host would fetch; a device that never ends is met here.
const ARTIFACT_BYTES_MAX: u64 = 64 << 30;

/// Attests who built artifacts.
pub(super) fn attest(given: &Provenance, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let case = Case::open(&given.common)?;
    let fits = |rule: &Rule| matches!(rule, Rule::Provenance { .. });
    let gate = if given.any_gate { None } else { case.gate(&given.common, fits, "--any-gate")? };
    let digests = digests(&given.artifacts)?;
    let claim = claim(given, &case)?;
    let annotations = statement::annotations(&case, &claim);
    let subjects = digests.iter().map(|(name, sha256)| {
        json!({"name": name, "digest": {"sha256": sha256}, "annotations": annotations})
    });
    let limit = match gate.map(|it| &it.rule) {
        Some(Rule::Provenance { builders, .. }) => Some(builders),
        _ => None,
    };
    let is_listed = limit.is_none_or(|it| it.contains(&given.builder));
    let shortfall = format!("the builder {} is not among those of the gate", given.builder);
    let finding = Finding {
        claim,
        subjects: Some(subjects.collect()),
        gate: gate.map(|it| it.id.clone()),
        measured: format!("{} artifacts by {}", digests.len(), given.builder),
        limit: limit.map_or_else(|| "none".to_owned(), |it| it.join(" or ")),
        shortfall: Some(shortfall).filter(|_| !is_listed),
        culprits: Vec::new(),
    };
    finding.conclude(&case, &given.common, screen)
}

/// Each artifact's name and digest.
fn digests(files: &[PathBuf]) -> Result<Vec<(String, Sha256)>, Failure> {
    if files.len() > ARTIFACTS_MAX {
        let what = anyhow!("{} artifacts, a statement names at most {ARTIFACTS_MAX}", files.len());
        return Err(Failure::usage(what).hint("attest parts apart"));
    }
    let mut seen: BTreeMap<Sha256, &Path> = BTreeMap::new();
    let mut digests = Vec::new();
    for file in files {
        let sha256 = digest(file)?;
        if let Some(same) = seen.insert(sha256, file) {
            let (one, two) = (same.display(), file.display());
            return Err(Failure::usage(anyhow!("{one} and {two} are the same artifact")));
        }
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        digests.push((name, sha256));
    }
    Ok(digests)
}

fn digest(file: &Path) -> Result<Sha256, Failure> {
    let mut stream = Sha256Stream::new();
    let mut offset = 0;
    while offset < ARTIFACT_BYTES_MAX {
        let piece = read_part(file, offset, PIECE_BYTES).map_err(Failure::usage)?;
        let missing = || Failure::usage(anyhow!("there is no artifact {}", file.display()));
        let piece = piece.ok_or_else(missing)?;
        if piece.is_empty() {
            break;
        }
        stream.update(&piece);
        offset += u64::try_from(piece.len()).unwrap_or(u64::MAX);
    }
    match offset {
        0 => Err(Failure::usage(anyhow!("the artifact {} is empty", file.display()))),
        _ if offset >= ARTIFACT_BYTES_MAX => {
            Err(Failure::usage(anyhow!("the artifact {} has 64 GiB or more", file.display())))
        }
        _ => Ok(stream.finish()),
    }
}

fn claim(given: &Provenance, case: &Case) -> Result<Claim, Failure> {
    let of_policy = || case.policy.as_ref().map(|it| it.repo_uri.as_str().to_owned());
    let source = given.source.clone().or_else(of_policy).ok_or_else(|| {
        Failure::usage(anyhow!("there is no policy that names the repository"))
            .hint("give its address: --source git+https://HOST/PATH")
    })?;
    let mut parameters = Map::new();
    for (name, value) in &given.parameters {
        if parameters.insert(name.clone(), json!(value)).is_some() {
            return Err(Failure::usage(anyhow!("--parameter {name} was given twice")));
        }
    }
    let mut metadata = Map::new();
    let finished = given.finished.unwrap_or(case.now);
    metadata.insert("finishedOn".to_owned(), json!(finished.to_string()));
    let more = [
        ("startedOn", given.started.map(|it| it.to_string())),
        ("invocationId", given.invocation.clone()),
    ];
    for (name, value) in more.into_iter().filter_map(|(name, it)| Some((name, it?))) {
        metadata.insert(name.to_owned(), Value::String(value));
    }
    let predicate = json!({
        "buildDefinition": {
            "buildType": given.build_type,
            "externalParameters": parameters,
            "resolvedDependencies": [
                {"uri": source, "digest": {"gitCommit": case.commit.to_string()}},
            ],
        },
        "runDetails": {"builder": {"id": given.builder}, "metadata": metadata},
    });
    Ok(Claim { predicate_type: PROVENANCE, predicate, counts: Map::new() })
}
