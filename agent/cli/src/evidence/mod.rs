//! `bowline evidence`: what this host has of one revision, in one archive that public tools verify.
//!
//! **Invariant:** nothing on the host is changed, and nothing is asked of anybody else.
//! **Invariant:** the same state gives the same bytes: no time, no name of the machine's own goes in.

mod commits;
mod laws;
mod roots;
mod counted;
mod tar;

use std::path::{Path, PathBuf, absolute};

use anyhow::anyhow;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bowline_api::record::{PAYLOAD_TYPE, Record};
use bowline_host::door::files::{self, replace_cheaply};
use bowline_host::record::{self, Entry};
use bowline_host::repository::Repository;
use bowline_host::settings::{self, Settings};
use bowline_host::state::State;
use bowline_host::trust_file;
use bowline_model::digest::Sha256;
use bowline_model::envelope::pae;
use bowline_model::object_id::ObjectId;
use bowline_trust::ssh_key::SshKey;
use serde::Serialize;

use crate::arguments::Evidence;
use crate::failure::Failure;
use crate::revision::{self, unknown};
use crate::screen::Screen;
use crate::verify::unreachable;
use laws::Laws;
use roots::Roots;
use tar::Files;

/// How all of it is verified.
const README: &str = include_str!("readme.txt");

/// Records of one revision: what a host tells of it in a busy year.
const RECORDS_MAX: usize = 512;

/// Trust files and public keys have some kilobytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What stands before the 32 bytes of an Ed25519 key where openssl reads one.
const SPKI_HEAD: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// What `--json` prints.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    /// The commit.
    commit: String,
    /// Where the archive is.
    out: String,
    /// SHA-256 of the archive.
    sha256: String,
    /// Its size.
    bytes: usize,
    /// Commits in it.
    commits: usize,
    /// Records in it.
    records: usize,
    /// Envelopes in it.
    envelopes: usize,
    /// What it lacks, for people.
    warnings: Vec<String>,
}

/// The host that is looked at.
struct Host {
    settings: Settings,
    state: State,
    /// The repository that the agent fetched.
    objects: String,
    /// The public key as OpenSSH writes it, and its 32 bytes.
    public: (String, Vec<u8>),
}

/// Writes the archive.
pub fn evidence(given: &Evidence, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let host = Host::look(given)?;
    // Whoever edited the log would have us sign for it.
    record::verify_chain(&host.records(), &host.public.1).map_err(Failure::tampered)?;
    let commit = host.find(&given.rev)?;
    let entries = host.entries(&commit)?;
    if entries.is_empty() {
        return Err(never_here(&commit));
    }
    let mut files = Files::default();
    let mut report = Report {
        commit: commit.to_string(),
        out: given.out.display().to_string(),
        sha256: String::new(),
        bytes: 0,
        commits: 0,
        records: entries.len(),
        envelopes: 0,
        warnings: Vec::new(),
    };
    host.tell(&commit, &entries, &mut files, &mut report)?;
    let digests = files.iter().map(|(name, it)| format!("{}  {name}", Sha256::of(it)));
    let digests: Vec<_> = digests.collect();
    files.add("manifest.sha256", digests.join("\n") + "\n");
    let archive = files.archive()?;
    report.sha256 = Sha256::of(&archive).to_string();
    report.bytes = archive.len();
    replace_cheaply(&given.out, &archive, 0o644).map_err(Failure::failed)?;
    for warning in &report.warnings {
        screen.note(format_args!("warning: {warning}"))?;
    }
    if given.json {
        screen.json(&report)?;
    } else {
        screen.table(&[
            ("commit", report.commit.clone()),
            ("commits", report.commits.to_string()),
            ("records", report.records.to_string()),
            ("envelopes", report.envelopes.to_string()),
            ("archive", format!("{}, {} bytes", report.out, report.bytes)),
            ("sha256", report.sha256.clone()),
        ])?;
        screen.note("note: README.txt in it says how it is verified")?;
    }
    Ok(0)
}

impl Host {
    fn look(given: &Evidence) -> Result<Self, Failure> {
        let root = absolute(&given.root).map_err(Failure::usage)?;
        let settings = settings::load(&given.config, &root).map_err(|failure| {
            Failure::usage(failure).hint("packaging/default.toml documents every key")
        })?;
        let public = read_public(&settings.key)?;
        let state = State::view(&settings.state);
        let objects = settings.state.join("objects.git").display().to_string();
        Ok(Self { settings, state, objects, public })
    }

    fn records(&self) -> PathBuf {
        self.settings.state.join("records")
    }

    /// The commit that a person means: by its id, or by a deployment of it.
    fn find(&self, rev: &str) -> Result<ObjectId, Failure> {
        let told = record::find(&self.records(), rev).map_err(Failure::tampered)?;
        let named = told.iter().find_map(|it| commit_of(it)?.parse().ok());
        match named {
            Some(commit) => Ok(commit),
            None => revision::find(&self.objects, &self.fetched(rev)).map_err(|failure| {
                failure.hint("bowline history lists deployments; a commit is named by its id")
            }),
        }
    }

    /// A name as the agent's own repository has it: there the branch that it follows is HEAD.
    fn fetched(&self, rev: &str) -> String {
        let whole = self.settings.ref_name.as_str();
        let short = whole.strip_prefix("refs/heads/").unwrap_or(whole);
        let after = [whole, short].into_iter().find_map(|it| rev.strip_prefix(it));
        let after = after.filter(|it| it.is_empty() || it.starts_with(['~', '^']));
        after.map_or_else(|| rev.to_owned(), |it| format!("HEAD{it}"))
    }

    /// Records of a commit, with those around them.
    fn entries(&self, commit: &ObjectId) -> Result<Vec<Entry>, Failure> {
        let id = commit.to_string();
        let is_it = |it: &Record| commit_of(it) == Some(id.as_str());
        record::around(&self.records(), is_it, RECORDS_MAX).map_err(Failure::tampered)
    }

    /// Gathers everything.
    fn tell(
        &self,
        commit: &ObjectId,
        entries: &[Entry],
        files: &mut Files,
        report: &mut Report,
    ) -> Result<(), Failure> {
        files.add("README.txt", README);
        files.add("revision", format!("{commit}\n"));
        let trust = trust_file::load_for(&self.settings).map_err(Failure::usage)?;
        let bytes = files::read(&self.settings.trust, FILE_BYTES_MAX).map_err(Failure::failed)?;
        files.add("trust.yaml", bytes.unwrap_or_default());
        let mut roots = Roots::of(&trust.root, files);
        let (line, key) = &self.public;
        files.add("host/key.pub", format!("{line}\n"));
        files.add("host/key.pem", pem(key));
        for it in entries {
            add_record(it, files);
        }
        let id = commit.to_string();
        let told = entries.iter().rev().map(|it| &it.record);
        let newest = told.clone().find(|it| commit_of(it) == Some(&id));
        if newest.is_some_and(|it| it.trust_sha256 != trust.sha256.to_string()) {
            let what = "the trust file has changed since: step 3 of the README will say so";
            report.warnings.push(what.to_owned());
        }
        let base = told.filter(|it| commit_of(it) == Some(&id)).find_map(|it| {
            let base = it.base.as_deref()?.rsplit_once(':')?.1.parse().ok()?;
            (base != *commit).then_some(base)
        });
        let repository = Repository::view(&self.objects).map_err(unreachable)?;
        let mut laws = Laws::default();
        let anchor = trust.root.anchor.commit;
        let chain = commits::chain(&repository, commit, base, &anchor);
        let chain = chain.map_err(unknown)?;
        let by = (&*trust.root, &mut roots, &mut laws);
        commits::add(&repository, &chain, by, files).map_err(unknown)?;
        report.commits = chain.len();
        for it in &chain {
            let counted = self.state.counted(it)?;
            report.envelopes += counted.map_or(0, |it| counted::add(&it, (&laws, &roots), files));
        }
        Ok(())
    }
}

/// A commit without a record: there would be nothing to show of it but that it exists.
fn never_here(commit: &ObjectId) -> Failure {
    let what = anyhow!("none of the records that this host keeps tells of {commit}");
    Failure::failed(what).of("there is no evidence, and nothing is written").hint(
        "bowline history lists what was deployed here; a commit that came with a later one is in the evidence of that one",
    )
}

/// The commit that a record tells of.
fn commit_of(record: &Record) -> Option<&str> {
    let shown = record.revision.as_deref().and_then(|it| it.rsplit_once(':'));
    record.commit.as_ref().map(|it| it.id.as_str()).or(shown.map(|(_, commit)| commit))
}

fn add_record(entry: &Entry, files: &mut Files) {
    let folder = format!("records/{:010}", entry.record.seq);
    files.add(format!("{folder}/line"), entry.line.as_slice());
    let Some((payload, sig)) = entry.opened() else { return };
    files.add(format!("{folder}/pae"), pae(PAYLOAD_TYPE, &payload));
    files.add(format!("{folder}/payload.json"), payload);
    files.add(format!("{folder}/sig"), sig);
}

/// The host's public key, from the file beside the private one.
fn read_public(key: &Path) -> Result<(String, Vec<u8>), Failure> {
    let mut path = key.as_os_str().to_owned();
    path.push(".pub");
    let path = PathBuf::from(path);
    let bytes = files::read(&path, FILE_BYTES_MAX).map_err(Failure::usage)?.unwrap_or_default();
    let line = String::from_utf8_lossy(&bytes).trim().to_owned();
    let key = SshKey::from_line(&line).map_err(|bad| {
        let failure = Failure::usage(bad).of(format!("read the key {}", path.display()));
        failure.hint("the agent makes it at its first start")
    })?;
    match key.as_wire() {
        // Two texts behind their lengths: the kind, and the key.
        wire if wire.len() == 51 => Ok((line, wire.get(19..).unwrap_or_default().to_vec())),
        _ => Err(Failure::usage(anyhow!("{} is no Ed25519 key", path.display()))),
    }
}

pub(super) fn pem(public: &[u8]) -> String {
    let text = STANDARD.encode([&SPKI_HEAD, public].concat());
    format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n")
}
