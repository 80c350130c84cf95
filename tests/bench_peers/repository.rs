//! Writes signed repositories: the desired state in Bowline's two forms, and long histories.
//!
//! **Invariant:** every commit is really signed, and the policy really root-signed; nothing is
//! switched off for the benchmark.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use bowline_model::digest::Sha256;
use bowline_model::object_id::{ObjectFormat, ObjectId};
use bowline_trust::commit::object_id;
use bowline_trust::policy_sign::{assemble, bytes_to_sign};
use git2::ObjectType;
use tests::signer::Signer;
use tests::village::BEGINNING;

use crate::desired::{Desired, SITE};

/// The repository's identity.
const URI: &str = "git+https://git.example/ops/bench";

/// The seed of the one merger's key.
const MERGER: u8 = 1;

/// Manifests in one file: below the limits of the reader, and not one file for each.
const DOCUMENTS: usize = 250;

/// The place of the store in memory before the others.
const MEMORY_FIRST: i32 = 999;

/// How the state is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// One Directory with `source`.
    Tree,
    /// One manifest for each path.
    Each,
}

/// A repository and the trust file of its first commit.
#[derive(Debug)]
pub(crate) struct Repository {
    /// Its work tree.
    pub(crate) folder: PathBuf,
    /// The trust file.
    pub(crate) trust: PathBuf,
    /// The newest commit.
    pub(crate) tip: ObjectId,
}

/// Writes the desired state as a repository with one commit. `extra` is one more manifest.
pub(crate) fn write(
    folder: &Path,
    desired: Desired,
    form: Form,
    extra: &str,
) -> Result<Repository> {
    let apps = folder.join("apps");
    let files = apps.join("files");
    fs::create_dir_all(&files)?;
    desired.write_files(&files)?;
    match form {
        Form::Tree => {
            Desired::write_links(&files)?;
            fs::write(apps.join("site.yaml"), tree_manifest())?;
        }
        Form::Each => write_each(&apps, desired)?,
    }
    if !extra.is_empty() {
        fs::write(apps.join("extra.yaml"), extra)?;
    }
    commit_first(folder)
}

/// What a repository's policy and trust file say besides.
#[derive(Debug, Default)]
pub(crate) struct More {
    /// Further keys of the merger, each after a comma.
    pub(crate) keys: String,
    /// Further lines of the policy.
    pub(crate) policy: String,
    /// Further lines of the trust file.
    pub(crate) trust: String,
}

/// Makes the first commit of what lies in a folder, with a policy and a trust file for it.
pub(crate) fn commit_first(folder: &Path) -> Result<Repository> {
    commit_first_with(folder, &More::default())
}

/// The same, where policy and trust file say more.
pub(crate) fn commit_first_with(folder: &Path, more: &More) -> Result<Repository> {
    fs::write(folder.join("bowline.yaml"), manifest("Repository", "bench", "folders: [apps]"))?;
    write_policy(folder, more)?;
    git(folder, &["init", "--quiet", "--initial-branch=main"], b"")?;
    git(folder, &["add", "."], b"")?;
    let tree = git(folder, &["write-tree"], b"")?;
    let raw = signed_commit(tree.trim(), None, 0, &by_ssh)?;
    let tip = store(folder, &[raw.clone().into_bytes()])?;
    // A server keeps its objects packed.
    git(folder, &["repack", "-a", "-d", "--quiet"], b"")?;
    let trust = folder.with_extension("trust.yaml");
    let text = format!(
        "version: 1\nrepo: {{uri: \"{URI}\", ref: refs/heads/main}}\n\
         anchor: {{commit: \"{tip}\", commitSha256: \"{}\"}}\n\
         root: {{threshold: 1, keys: [{{id: alice, key: \"{}\"}}]}}\n{}",
        Sha256::of(raw.as_bytes()),
        Signer::new(MERGER).line(),
        more.trust
    );
    fs::write(&trust, text)?;
    Ok(Repository { folder: folder.to_owned(), trust, tip })
}

impl Repository {
    /// Adds signed commits that change nothing.
    pub(crate) fn lengthen(&mut self, commits: usize) -> Result<Vec<ObjectId>> {
        self.lengthen_by(commits, &by_ssh)
    }

    /// The same, signed in a way of their own.
    pub(crate) fn lengthen_by(&mut self, commits: usize, sign: &Sign<'_>) -> Result<Vec<ObjectId>> {
        let tree = git(&self.folder, &["rev-parse", "HEAD^{tree}"], b"")?;
        let mut ids = Vec::with_capacity(commits);
        let mut raws = Vec::with_capacity(commits);
        for number in 1..=commits {
            // A second apart: the longest history ends before today.
            let age = i64::try_from(number)?;
            let raw = signed_commit(tree.trim(), Some(self.tip), age, sign)?;
            self.tip = object_id(ObjectFormat::Sha1, "commit", raw.as_bytes());
            ids.push(self.tip);
            raws.push(raw.into_bytes());
        }
        pack(&self.folder, &raws)?;
        git(&self.folder, &["update-ref", "refs/heads/main", &self.tip.to_string()], b"")?;
        git(&self.folder, &["repack", "-a", "-d", "--quiet"], b"")?;
        Ok(ids)
    }

    /// Writes Git's own list of allowed signers.
    pub(crate) fn allowed_signers(&self) -> Result<PathBuf> {
        let path = self.folder.with_extension("signers");
        fs::write(&path, format!("a@example.org {}\n", Signer::new(MERGER).line()))?;
        Ok(path)
    }
}

/// Stores raw commits and moves the branch to the last of them.
fn store(folder: &Path, raws: &[Vec<u8>]) -> Result<ObjectId> {
    let scratch = folder.with_extension("commits");
    fs::create_dir_all(&scratch)?;
    let mut paths = String::new();
    for (number, raw) in raws.iter().enumerate() {
        let path = scratch.join(number.to_string());
        fs::write(&path, raw)?;
        let _ = writeln!(paths, "{}", path.display());
    }
    let words = ["hash-object", "-w", "-t", "commit", "--no-filters", "--stdin-paths"];
    let ids = git(folder, &words, paths.as_bytes())?;
    fs::remove_dir_all(&scratch)?;
    let tip = ids.lines().last().context("no commit was stored")?;
    git(folder, &["update-ref", "refs/heads/main", tip], b"")?;
    tip.parse().ok().with_context(|| format!("{tip} is no object id"))
}

/// Keeps raw commits in one pack: a file for each would take longer than what is measured.
fn pack(folder: &Path, raws: &[Vec<u8>]) -> Result<()> {
    let repository = git2::Repository::open(folder).context("open the repository")?;
    let objects = repository.odb()?;
    let memory = objects.add_new_mempack_backend(MEMORY_FIRST)?;
    for raw in raws {
        objects.write(ObjectType::Commit, raw)?;
    }
    let mut bytes = git2::Buf::new();
    memory.dump(&repository, &mut bytes)?;
    let mut writer = objects.packwriter()?;
    writer.write_all(&bytes).context("write a pack")?;
    writer.commit().context("end a pack").map(|_| ())
}

/// Signs a payload at a time.
pub(crate) type Sign<'s> = dyn Fn(&[u8], i64) -> Result<String> + 's;

/// The merger's key of OpenSSH.
fn by_ssh(payload: &[u8], _at: i64) -> Result<String> {
    Ok(Signer::new(MERGER).sign("git", payload))
}

fn signed_commit(
    tree: &str,
    parent: Option<ObjectId>,
    age: i64,
    sign: &Sign<'_>,
) -> Result<String> {
    let time = BEGINNING + age;
    let parent = parent.map(|id| format!("parent {id}\n")).unwrap_or_default();
    let head = format!(
        "tree {tree}\n{parent}author A <a@example.org> {time} +0000\n\
         committer A <a@example.org> {time} +0000\n"
    );
    let payload = format!("{head}\nchange\n");
    let folded = sign(payload.as_bytes(), time)?.trim_end().replace('\n', "\n ");
    Ok(format!("{head}gpgsig {folded}\n\nchange\n"))
}

fn write_policy(folder: &Path, more: &More) -> Result<()> {
    let signer = Signer::new(MERGER);
    let policy = format!(
        "version: 1\nexpires: 2027-11-01T00:00:00Z\nrepoUri: {URI}\nref: refs/heads/main\n\
         principals:\n  alice: {{kind: human, keys: [{{type: ssh, key: \"{}\"}}{}]}}\n\
         merge: {{mergers: [alice]}}\nrevoked: {{keys: [], commits: [], trees: []}}\n{}",
        signer.line(),
        more.keys,
        more.policy
    );
    let signature = signer.sign("bowline-policy", &bytes_to_sign(policy.as_bytes()));
    let envelope = assemble(policy.as_bytes(), &[signature]).context("sign the policy")?;
    fs::create_dir_all(folder.join(".bowline"))?;
    fs::write(folder.join(".bowline/policy.yaml"), policy)?;
    fs::write(folder.join(".bowline/policy.dsse.json"), envelope)?;
    Ok(())
}

/// One manifest.
pub(crate) fn manifest(kind: &str, name: &str, spec: &str) -> String {
    format!("apiVersion: bowline/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n")
}

fn tree_manifest() -> String {
    let spec = format!(
        "path: /{SITE}, mode: \"0750\", source: apps/files, fileMode: \"0640\", dirMode: \"0750\""
    );
    manifest("Directory", "site", &spec)
}

fn write_each(apps: &Path, desired: Desired) -> Result<()> {
    let mut manifests =
        vec![manifest("Directory", "site", &format!("path: /{SITE}, mode: \"0750\""))];
    for name in Desired::folders() {
        let spec = format!("path: /{SITE}/{name}, mode: \"0750\"");
        manifests.push(manifest("Directory", &name, &spec));
    }
    for name in desired.names() {
        let spec = format!(
            "path: /{SITE}/{name}, mode: \"0640\", contentFrom: {{file: apps/files/{name}}}"
        );
        manifests.push(manifest("File", &name.replace(['/', '.'], "-"), &spec));
    }
    for (name, target) in Desired::links() {
        let spec = format!("path: /{SITE}/{name}, target: {target}");
        manifests.push(manifest("Symlink", &name.replace('/', "-"), &spec));
    }
    for (number, part) in manifests.chunks(DOCUMENTS).enumerate() {
        fs::write(apps.join(format!("part-{number}.yaml")), part.join("---\n"))?;
    }
    Ok(())
}

/// Runs Git in a folder, without anybody's configuration. Gives what it printed.
pub(crate) fn git<W: AsRef<OsStr>>(folder: &Path, words: &[W], input: &[u8]) -> Result<String> {
    let mut child = Command::new("git")
        .current_dir(folder)
        .args(words)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("start git")?;
    let mut stdin = child.stdin.take().context("git has no input")?;
    // What is written here is small, or read by git before it prints as much.
    stdin.write_all(input).context("write to git")?;
    drop(stdin);
    let output = child.wait_with_output().context("wait for git")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "git failed: {complaint}");
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
