//! One repository with real Git and real signatures, and one host below a folder.
//!
//! **Invariant:** nothing outside its own temporary folder is written, and nothing of the account's
//! own configuration of Git or SSH is read.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use bowline_model::digest::Sha256;
use bowline_trust::policy_sign::{assemble, bytes_to_sign};

/// The repository's identity in signed statements.
pub const URI: &str = "git+https://git.example/ops/fleet";

/// Who has a key in every workshop. Alice is the root, Alice and Bob merge, Mallory may nothing.
const PEOPLE: [&str; 3] = ["alice", "bob", "mallory"];

/// What the first commit asks for.
const BASE: &str =
    "apiVersion: bowline/v1\nkind: Directory\nmetadata: {name: etc}\nspec: {path: /etc}\n";

const SETTINGS: &str = "[source]\nurl = \"repo\"\ninterval = \"0s\"\n[host]\nname = \"web-1\"\n\
                        key = \"host.key\"\n[state]\ndir = \"state\"\n[trust]\nfile = \"trust.yaml\"\n\
                        [api]\nsocket = \"a.sock\"\n[log]\nformat = \"text\"\n";

/// A repository, a host, and the keys of some people.
#[derive(Debug)]
pub struct Workshop {
    folder: PathBuf,
}

impl Workshop {
    /// A repository with one commit, and a host that has not seen it.
    pub fn new() -> Self {
        let shop = Self { folder: fresh() };
        for name in PEOPLE {
            shop.make_key(name, &["-t", "ed25519"]);
        }
        fs::create_dir(shop.root()).unwrap();
        shop.run("git", &["init", "-q", "-b", "main", "repo"]);
        // A thousand loose objects would start a collector in the middle of a test.
        for key in ["gc.auto", "maintenance.auto"] {
            shop.git(&["config", key, "0"]);
        }
        shop.write("bowline.yaml", "apiVersion: bowline/v1\nkind: Repository\nmetadata: {name: fleet}\nspec: {folders: [apps]}\n");
        shop.write("apps/base.yaml", BASE);
        shop.enact(&shop.law(1), &["alice"]);
        shop.commit("begin");
        shop.trust(&shop.tip(), "");
        fs::write(shop.folder.join("agent.toml"), SETTINGS).unwrap();
        shop
    }

    /// The same again, in a folder of its own.
    #[must_use]
    pub fn copy(&self) -> Self {
        let folder = fresh();
        let from = format!("{}/.", self.folder.display());
        done(Command::new("cp").args(["-a", &from]).arg(&folder));
        Self { folder }
    }

    /// Where everything lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Below this the host's files stand.
    pub fn root(&self) -> PathBuf {
        self.folder.join("root")
    }

    /// The host's state.
    pub fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// The repository's work tree.
    pub fn repo(&self) -> PathBuf {
        self.folder.join("repo")
    }

    /// A file of the host.
    pub fn on_host(&self, path: &str) -> PathBuf {
        self.root().join(path.trim_start_matches('/'))
    }

    /// Makes a key by `ssh-keygen`.
    pub fn make_key(&self, name: &str, kind: &[&str]) {
        let file = self.key(name);
        let mut keygen = self.command("ssh-keygen");
        done(keygen.args(["-q", "-N", "", "-C", name, "-f"]).arg(file).args(kind));
    }

    /// The private key of somebody.
    pub fn key(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.key"))
    }

    /// The public key of somebody, as the policy writes it.
    pub fn public(&self, name: &str) -> String {
        let line = fs::read_to_string(self.folder.join(format!("{name}.key.pub"))).unwrap();
        line.split(' ').take(2).collect::<Vec<_>>().join(" ")
    }

    /// A policy as it stands by default: Alice and Bob merge.
    pub fn law(&self, version: u64) -> String {
        let person = |name: &str| {
            format!(
                "  {name}: {{kind: human, keys: [{{type: ssh, key: \"{}\"}}]}}\n",
                self.public(name)
            )
        };
        format!(
            "version: {version}\nexpires: 2099-01-01T00:00:00Z\nrepoUri: {URI}\nref: refs/heads/main\n\
             principals:\n{}{}merge: {{mergers: [alice, bob]}}\nrevoked: {{keys: [], commits: [], trees: []}}\n",
            person("alice"),
            person("bob"),
        )
    }

    /// Writes a policy and its signatures into the work tree.
    pub fn enact(&self, policy: &str, signers: &[&str]) {
        let statement = bytes_to_sign(policy.as_bytes());
        let sign = |name: &&str| self.sign("bowline-policy", name, &statement);
        let signatures: Vec<String> = signers.iter().map(sign).collect();
        let envelope = assemble(policy.as_bytes(), &signatures).unwrap();
        self.write(".bowline/policy.yaml", policy);
        self.write(".bowline/policy.dsse.json", &envelope);
    }

    /// Writes the trust file: anchored at a commit, with further lines.
    pub fn trust(&self, anchor: &str, more: &str) {
        let raw = self.raw(anchor);
        let text = format!(
            "version: 1\nrepo: {{uri: \"{URI}\", ref: refs/heads/main}}\n\
             anchor: {{commit: \"{anchor}\", commitSha256: \"{}\"}}\n\
             root: {{threshold: 1, keys: [{{id: alice, key: \"{}\"}}]}}\n{more}",
            Sha256::of(&raw),
            self.public("alice")
        );
        fs::write(self.folder.join("trust.yaml"), text).unwrap();
    }

    /// Writes a file of the work tree.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.repo().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Commits the work tree, signed by Alice. Gives the commit's id.
    pub fn commit(&self, message: &str) -> String {
        self.commit_by("alice", message, &[])
    }

    /// Commits the work tree by somebody's key, with further environment such as a date.
    pub fn commit_by(&self, key: &str, message: &str, environment: &[(&str, &str)]) -> String {
        self.git(&["add", "-A"]);
        let signing = format!("user.signingkey={}", self.key(key).display());
        let mut git = self.command("git");
        git.arg("-C").arg(self.repo()).args(["-c", &signing, "-c", "gpg.format=ssh"]);
        git.args(["commit", "-q", "--allow-empty", "-S", "-m", message]);
        done(git.envs(environment.iter().copied()));
        self.tip()
    }

    /// The newest commit of the branch.
    pub fn tip(&self) -> String {
        self.git(&["rev-parse", "refs/heads/main"])
    }

    /// The raw bytes of a commit.
    pub fn raw(&self, commit: &str) -> Vec<u8> {
        let mut git = self.command("git");
        done(git.arg("-C").arg(self.repo()).args(["cat-file", "commit", commit])).stdout
    }

    /// Writes raw bytes as an object, whatever they are. Gives its id.
    pub fn put(&self, kind: &str, raw: &[u8]) -> String {
        let file = self.folder.join("object");
        fs::write(&file, raw).unwrap();
        let file = file.to_str().unwrap();
        self.git(&["hash-object", "-w", "-t", kind, "--literally", "--", file])
    }

    /// Makes a tree of a listing in the workshop's folder. Gives its id.
    pub fn make_tree(&self, listing: &str) -> String {
        let mut git = self.command("git");
        let file = fs::File::open(self.folder.join(listing)).unwrap();
        let out =
            done(git.arg("-C").arg(self.repo()).args(["mktree", "--missing"]).stdin(file)).stdout;
        String::from_utf8(out).unwrap().trim().to_owned()
    }

    /// Commits a tree on top of the branch, signed by Alice, without checking it out.
    pub fn commit_tree(&self, tree: &str) {
        let signing = format!("user.signingkey={}", self.key("alice").display());
        let mut git = self.command("git");
        git.arg("-C").arg(self.repo()).args(["-c", &signing, "-c", "gpg.format=ssh"]);
        git.args(["commit-tree", "-S", "-p", &self.tip(), "-m", "tree", tree]);
        let out = done(&mut git).stdout;
        self.move_branch(String::from_utf8(out).unwrap().trim());
    }

    /// Moves the branch, whatever it was.
    pub fn move_branch(&self, commit: &str) {
        self.git(&["update-ref", "refs/heads/main", commit]);
    }

    /// Lets the agent fetch from elsewhere: what stands behind `url =`, and further keys of `[source]`.
    pub fn fetch_from(&self, url: &str, more: &str) {
        let settings = SETTINGS.replace("url = \"repo\"\n", &format!("url = {url}\n{more}"));
        fs::write(self.folder.join("agent.toml"), settings).unwrap();
    }

    /// Runs Git on the repository. Gives what it printed.
    pub fn git(&self, arguments: &[&str]) -> String {
        let mut git = self.command("git");
        let out = done(git.arg("-C").arg(self.repo()).args(arguments)).stdout;
        String::from_utf8(out).unwrap().trim().to_owned()
    }

    /// An armoured SSH signature by `ssh-keygen`.
    pub fn sign(&self, namespace: &str, key: &str, message: &[u8]) -> String {
        let file = self.folder.join(format!("message-{key}"));
        fs::write(&file, message).unwrap();
        let mut keygen = self.command("ssh-keygen");
        keygen.args(["-q", "-Y", "sign", "-n", namespace, "-f"]).arg(self.key(key));
        let out = done(keygen.arg("-").stdin(fs::File::open(file).unwrap()));
        String::from_utf8(out.stdout).unwrap()
    }

    /// Runs a program in the workshop.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Output {
        done(self.command(program).args(arguments))
    }

    /// A program in the workshop's own clean environment.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.env_clear().current_dir(&self.folder).stdin(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", &self.folder).env("LC_ALL", "C.UTF-8");
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
        for role in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{role}_NAME"), "Alice");
            command.env(format!("GIT_{role}_EMAIL"), "alice@example.org");
        }
        command
    }
}

impl Default for Workshop {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        // A folder that cannot be removed hinders nobody: the next has another name.
        drop(fs::remove_dir_all(&self.folder));
    }
}

/// Runs a program that must succeed.
fn done(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} ended with {}: {said}", output.status);
    output
}

/// A new folder: short, because a socket's path is limited; and in memory where there is some, because
/// what a power cut would lose is not asked here, and thousands of barriers take time.
fn fresh() -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("bowline-{}-{number}", std::process::id());
    let memory = Path::new("/dev/shm").join(&name);
    if fs::create_dir(&memory).is_ok() {
        return memory;
    }
    let folder = std::env::temp_dir().join(name);
    fs::create_dir(&folder).unwrap();
    folder
}
