//! A sealed environment: one folder that holds home and work, and nothing from outside.
//!
//! **Invariant:** the same arguments in the same folder print the same words, on every machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};

use tests::binaries;

/// Where git and ssh-keygen are found.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A folder of its own, removed at the end.
#[derive(Debug)]
pub(crate) struct Sealed {
    folder: PathBuf,
}

/// What a program said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    /// Everything on stdout as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Compares everything.
    #[track_caller]
    pub(crate) fn is(&self, code: i32, stdout: &str, stderr: &str) {
        let expected = Said { code, stdout: stdout.to_owned(), stderr: stderr.to_owned() };
        assert!(*self == expected, "expected {expected:#?}\nfound {self:#?}");
    }
}

impl Sealed {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("bowline-cli-{}-{number}", process::id()));
        // What a killed run with the same id left.
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(folder.join("home")).unwrap();
        let name = "[user]\nname = A\nemail = a@example.org\n";
        fs::write(folder.join("home/.gitconfig"), name).unwrap();
        // The folder's real name is what the programs print.
        Self { folder: folder.canonicalize().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Every path below a folder with what it holds, to see that nothing was touched.
    pub(crate) fn snapshot(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut all = Vec::new();
        let mut folders = vec![self.folder.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    all.push((path.clone(), Vec::new()));
                    folders.push(path);
                } else {
                    let bytes = fs::read(&path).unwrap();
                    all.push((path, bytes));
                }
            }
        }
        all.sort();
        all
    }

    /// Runs `bowline` in the folder. Ids, digests and times are shown by their kind.
    pub(crate) fn bowline(&self, arguments: &[&str]) -> Said {
        self.bowline_in(".", arguments)
    }

    pub(crate) fn bowline_in(&self, folder: &str, arguments: &[&str]) -> Said {
        self.said(self.command(&binaries::bowline(), folder).args(arguments))
    }

    /// Runs `bowline-agent` in the folder. Of its log lines the time is left out.
    pub(crate) fn agent(&self, arguments: &[&str]) -> Said {
        let mut said = self.said(self.command(&binaries::agent(), ".").args(arguments));
        said.stderr = said.stderr.lines().map(|line| untimed(line) + "\n").collect();
        said
    }

    /// One cycle of the agent that `init` wrote settings for, below `root`.
    pub(crate) fn once(&self, more: &[&str]) -> Said {
        let arguments = ["--config", "fleet.agent.toml", "--root", "root", "--once"];
        self.agent(&[&arguments, more].concat())
    }

    /// Runs `bowline-agent` where its answer cannot be written; gives the exit code and the last line of its log.
    pub(crate) fn agent_unheard(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = self.command(&binaries::agent(), ".");
        let output = command.args(arguments).stdout(full).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), said.lines().last().unwrap_or_default().to_owned())
    }

    /// What one cycle printed, as it is.
    pub(crate) fn once_raw(&self, more: &[&str]) -> String {
        let arguments = ["--config", "fleet.agent.toml", "--root", "root", "--once"];
        let mut command = self.command(&binaries::agent(), ".");
        let output = command.args(arguments).args(more).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    fn said(&self, command: &mut Command) -> Said {
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| self.plain(std::str::from_utf8(bytes).unwrap());
        Said {
            code: output.status.code().unwrap(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    /// Runs a program of ours that was copied into this folder.
    pub(crate) fn copied(&self, program: &str, arguments: &[&str]) -> Said {
        self.said(self.command(&self.path(program), ".").args(arguments))
    }

    /// Runs another program, which must succeed, and gives its output as it is.
    pub(crate) fn run(&self, folder: &str, program: &str, arguments: &[&str]) -> String {
        let output = self.command(Path::new(program), folder).args(arguments).output().unwrap();
        let shown = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{program} {arguments:?}: {shown}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Lets a shell try a line. Gives whether that succeeded, and all that was said.
    pub(crate) fn tried(&self, folder: &str, line: &str) -> (bool, String) {
        let output = self.command(Path::new("sh"), folder).args(["-c", line]).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    pub(crate) fn git(&self, folder: &str, arguments: &[&str]) -> String {
        self.run(folder, "git", arguments)
    }

    /// Makes a key without a passphrase, named by its comment.
    pub(crate) fn key(&self, name: &str) {
        let comment = format!("{name}@example.org");
        let arguments = ["-q", "-t", "ed25519", "-N", "", "-C", &comment, "-f", name];
        self.run(".", "ssh-keygen", &arguments);
    }

    /// Commits everything in `fleet`, signed by a key of this folder.
    pub(crate) fn merge(&self, key: &str, message: &str) {
        let signing = format!("user.signingkey={}", self.path(key).display());
        self.git("fleet", &["add", "--all"]);
        self.git("fleet", &["-c", &signing, "commit", "--allow-empty", "-qm", message]);
    }

    /// A repository `fleet`, founded by the keys of these names.
    pub(crate) fn found(keys: &[&str]) -> Self {
        let sealed = Self::new();
        let mut arguments = vec!["init", "fleet"];
        for key in keys {
            sealed.key(key);
            arguments.extend(["--key", key]);
        }
        let said = sealed.bowline(&arguments);
        assert_eq!(said.code, 0, "{said:?}");
        sealed
    }

    fn command(&self, program: &Path, folder: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", PATH)
            .env("HOME", self.path("home"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("LC_ALL", "C")
            .env("TZ", "UTC")
            .current_dir(self.path(folder));
        command
    }

    fn plain(&self, text: &str) -> String {
        let text = text.replace(&self.folder.display().to_string(), "HERE");
        let mut plain = String::new();
        let mut rest = text.as_str();
        while let Some(first) = rest.chars().next() {
            let length = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
            let word = match length {
                40 => "OID",
                64 => "SHA256",
                12 if rest[..12].bytes().any(|it| it.is_ascii_digit()) => "SHORT",
                // A word of letters or a number, or no hex at all.
                _ => {
                    let taken = length.max(first.len_utf8());
                    plain.push_str(&rest[..taken]);
                    rest = &rest[taken..];
                    continue;
                }
            };
            plain.push_str(word);
            rest = &rest[length..];
        }
        plain
    }
}

/// A log line without its time.
fn untimed(line: &str) -> String {
    let level = line.find(" WARN ").or_else(|| line.find(" INFO "));
    let is_timed = line.starts_with("20") && line.get(10..11) == Some("T");
    level.filter(|_| is_timed).map_or(line, |at| line[at..].trim()).to_owned()
}

impl Drop for Sealed {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.folder));
    }
}
