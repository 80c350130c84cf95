//! Verification where there is much of something: large signatures, other people's notes, a long history.
//!
//! **Invariant:** each figure is of the whole program, and each of its verdicts is "accepted".

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bowline_model::envelope::{Envelope, EnvelopeSignature};
use bowline_model::object_id::ObjectId;
use bowline_trust::{APPROVAL_NAMESPACE, attested, dsse};
use tests::signer::Signer;

use crate::arguments::Arguments;
use crate::figures::median;
use crate::history::{COMMITS, SAMPLE, bowline_verify};
use crate::openpgp::Owner;
use crate::repository::{More, Repository, commit_first_with, git, manifest};
use crate::table::{self, Proofs};
use crate::weigh::{Weight, weigh};

/// A gate, so that notes are looked at.
const GATE: &str = "gates:\n  - {id: tests, predicate: \"https://in-toto.io/attestation/test-result/v0.1\", \
     signers: [alice], result: [PASSED], minPassed: 0}\n";

/// Commits above the one that a host verified last, on a usual day.
const FEW: usize = 10;

/// As `limits.commitsPerWalk` where the trust file says nothing.
const USUAL_WALK: usize = 20_000;

/// Measures them and prints what they took.
pub(crate) fn measure(place: &Path, arguments: &Arguments) -> Result<()> {
    let [openpgp, git] = openpgp(&place.join("openpgp"), arguments.runs)?;
    let [alone, beside] = notes(&place.join("notes"), arguments)?;
    let [peak_mib, usual_mib, whole_mib] = memory(&place.join("long"), arguments.history)?;
    table::proofs(&Proofs {
        commits: COMMITS,
        openpgp,
        git,
        notes: arguments.notes,
        alone,
        beside,
        history: arguments.history,
        usual: USUAL_WALK.min(arguments.history),
        peak_mib,
        usual_mib,
        whole_mib,
    });
    Ok(())
}

/// A repository with one small manifest.
fn begin(folder: &Path, more: &More) -> Result<Repository> {
    fs::create_dir_all(folder.join("apps"))?;
    fs::write(folder.join("apps/one.yaml"), manifest("File", "one", "path: /one, content: x"))?;
    commit_first_with(folder, more)
}

/// CPU seconds for commits that were signed as OpenPGP: ours, and Git's.
fn openpgp(folder: &Path, runs: usize) -> Result<[f64; 2]> {
    let owner = Owner::new()?;
    let certificate = owner.certificate()?;
    let key = certificate.replace('\n', "\\n");
    let keys =
        format!(", {{type: openpgp, fingerprint: \"{}\", key: \"{key}\"}}", owner.fingerprint()?);
    let mut repository = begin(folder, &More { keys, ..More::default() })?;
    let ids = repository.lengthen_by(COMMITS.into(), &|payload, at| owner.sign(payload, at))?;
    let home = GnuPg::with(&folder.with_extension("gnupg"), &certificate)?;
    let (mut own, mut gits) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        own.push(bowline_verify(&repository)?.cpu());
        let mut sum = 0.0;
        for id in ids.iter().step_by(usize::from(COMMITS / SAMPLE)) {
            sum += home.verify(&repository.folder, id)?.cpu();
        }
        gits.push(sum / f64::from(SAMPLE) * f64::from(COMMITS));
    }
    Ok([median(&own), median(&gits)])
}

/// GnuPG with one key.
struct GnuPg(PathBuf);

impl GnuPg {
    fn with(home: &Path, certificate: &str) -> Result<Self> {
        fs::create_dir_all(home)?;
        fs::set_permissions(home, fs::Permissions::from_mode(0o700))?;
        let file = home.join("key.asc");
        fs::write(&file, certificate)?;
        let home = Self(home.to_owned());
        home.run("gpg", &["--batch", "--quiet", "--import", &file.display().to_string()])?;
        Ok(home)
    }

    fn verify(&self, folder: &Path, id: &ObjectId) -> Result<Weight> {
        let folder = folder.display().to_string();
        self.run("git", &["-C", &folder, "verify-commit", &id.to_string()])
    }

    /// Weighs a program that finds this home.
    fn run(&self, program: &str, words: &[&str]) -> Result<Weight> {
        let home = format!("GNUPGHOME={}", self.0.display());
        let all: Vec<_> = [&[home.as_str(), program], words].concat();
        let all: Vec<_> = all.iter().map(AsRef::as_ref).collect();
        weigh(Path::new("/usr/bin/env"), &all, &[0])
    }
}

impl Drop for GnuPg {
    fn drop(&mut self) {
        let home = self.0.display().to_string();
        // Whether it had started an agent at all is its own affair.
        let _ended = weigh(
            Path::new("gpgconf"),
            &["--homedir".as_ref(), home.as_ref(), "--kill".as_ref(), "all".as_ref()],
            &[0, 1, 2],
        );
    }
}

/// CPU seconds for a tip with a note: alone, and beside notes on other commits.
fn notes(folder: &Path, arguments: &Arguments) -> Result<[f64; 2]> {
    let mut repository = begin(folder, &More { policy: GATE.to_owned(), ..More::default() })?;
    repository.lengthen(1)?;
    let line = statement(&repository)?;
    let mut weighed = [Vec::new(), Vec::new()];
    for (figures, others) in weighed.iter_mut().zip([0, arguments.notes]) {
        write_notes(&repository, &line, others)?;
        for _ in 0..arguments.runs.max(3) {
            figures.push(bowline_verify(&repository)?.cpu());
        }
    }
    Ok(weighed.map(|it| median(&it)))
}

/// What the gate asks for, of the tip's tree.
fn statement(repository: &Repository) -> Result<Vec<u8>> {
    let tree = git(&repository.folder, &["rev-parse", "HEAD^{tree}"], b"")?;
    let statement = format!(
        "{{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[{{\"digest\":{{\"gitTree\":\"{}\"}}}}],\
         \"predicateType\":\"https://in-toto.io/attestation/test-result/v0.1\",\
         \"predicate\":{{\"result\":\"PASSED\",\"configuration\":[],\"passedTests\":[]}}}}",
        tree.trim()
    );
    let envelope = attested::unsigned(statement.as_bytes());
    let sig = Signer::new(1).sign(APPROVAL_NAMESPACE, &envelope.pae()).into_bytes();
    let signatures = vec![EnvelopeSignature { key_id: None, sig }];
    Ok(dsse::write(&Envelope { signatures, ..envelope }))
}

/// Writes a reference of notes as Git keeps many: in folders by the first digits.
fn write_notes(repository: &Repository, line: &[u8], others: usize) -> Result<()> {
    let own = repository.tip.to_string();
    let body = STANDARD.encode([7; 300]);
    let mut stream =
        "commit refs/notes/attestations\ncommitter A <a@example.org> 1793491200 +0000\ndata 0\n\
                      deleteall\n"
            .to_owned();
    let mut add = |name: &str, note: &str| {
        let (first, rest) = name.split_at_checked(2).context("a name is longer")?;
        let (second, rest) = rest.split_at_checked(2).context("a name is longer")?;
        writeln!(stream, "M 100644 inline {first}/{second}/{rest}\ndata {}\n{note}", note.len())?;
        Ok::<_, anyhow::Error>(())
    };
    add(&own, str::from_utf8(line)?)?;
    for number in 0..others {
        let name = bowline_model::digest::Sha256::of(&number.to_be_bytes()).to_string();
        let name = name.get(..40).context("a digest is longer")?;
        add(name, &format!("{{\"payload\":\"{body}\",\"number\":{number}}}\n"))?;
    }
    let file = repository.folder.with_extension("stream");
    fs::write(&file, stream)?;
    let words = format!("git fast-import --force --quiet < {}", file.display());
    let imported = std::process::Command::new("sh")
        .args(["-c", &words])
        .current_dir(&repository.folder)
        .status()
        .context("start git")?;
    ensure!(imported.success(), "notes cannot be written");
    git(&repository.folder, &["repack", "-a", "-d", "--quiet"], b"").map(|_| ())
}

/// Peak memory in MiB, in a repository of so many commits: where few are new, where as many as a walk may have
/// by default are, and where all are.
fn memory(folder: &Path, commits: usize) -> Result<[f64; 3]> {
    let trust = format!("limits: {{commitsPerWalk: {}}}\n", commits.max(1));
    let mut repository = begin(folder, &More { trust, ..More::default() })?;
    let mut ids = vec![repository.tip];
    ids.extend(repository.lengthen(commits)?);
    let whole = fs::read_to_string(&repository.trust)?;
    let first = ids.first().context("there is a first commit")?.to_string();
    let peak = |above: usize| {
        let from = ids.iter().rev().nth(above.min(commits)).context("there are as many")?;
        let raw = git(&repository.folder, &["cat-file", "commit", &from.to_string()], b"")?;
        let digest = |raw: &str| bowline_model::digest::Sha256::of(raw.as_bytes()).to_string();
        let first_raw = git(&repository.folder, &["cat-file", "commit", &first], b"")?;
        let text = whole.replace(&first, &from.to_string());
        fs::write(&repository.trust, text.replace(&digest(&first_raw), &digest(&raw)))?;
        let peak = bowline_verify(&repository)?.peak_kib;
        Ok::<_, anyhow::Error>(f64::from(u32::try_from(peak)?) / 1024.0)
    };
    Ok([peak(FEW)?, peak(USUAL_WALK)?, peak(commits)?])
}
