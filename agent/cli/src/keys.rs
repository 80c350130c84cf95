//! Root keys, and their signatures over policies and first commits.
//!
//! **Invariant:** a private key is not read here: `ssh-keygen` signs, and what it gives is verified.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf, absolute};

use anyhow::anyhow;
use bowline_host::door::ssh_keygen;
use bowline_trust::ssh_key::SshKey;
use bowline_trust::sshsig;

use crate::failure::{Failure, read_given};
use crate::screen::Screen;

/// A public key is one line; RSA keys of 16384 bits have 3 KiB.
const PUBLIC_KEY_BYTES_MAX: u64 = 64 << 10;

/// What a name may consist of, beside letters and digits.
const NAME_MARKS: &str = "-_.";

/// A key whose file was named.
#[derive(Debug)]
pub(crate) struct RootKey {
    /// The file that was named.
    pub(crate) file: PathBuf,
    /// What people call it.
    pub(crate) name: String,
    /// Type and letters, without the comment.
    pub(crate) line: String,
    key: SshKey,
}

/// Reads the public halves of the named keys.
pub(crate) fn read(files: &[PathBuf]) -> Result<Vec<RootKey>, Failure> {
    let mut keys: Vec<RootKey> = Vec::new();
    let mut names = BTreeSet::new();
    for file in files {
        let mut key = RootKey::read(file)?;
        if let Some(same) = keys.iter().find(|it| it.key == key.key) {
            let (one, two) = (same.file.display(), file.display());
            return Err(Failure::usage(anyhow!("{one} and {two} are one key")));
        }
        let plain = key.name.clone();
        // As many tries as there are keys: one of the names must be free.
        for number in 2..files.len() + 2 {
            if names.insert(key.name.clone()) {
                break;
            }
            key.name = format!("{plain}-{number}");
        }
        keys.push(key);
    }
    Ok(keys)
}

impl RootKey {
    fn read(file: &Path) -> Result<Self, Failure> {
        if !file.is_file() {
            let what = anyhow!("there is no key file {}", file.display());
            let hint = "make one with: ssh-keygen -t ed25519 -f FILE";
            return Err(Failure::usage(what).hint(hint));
        }
        let line = public_line(file)?;
        let key = SshKey::from_line(&line).map_err(|source| {
            Failure::usage(source)
                .of(format!("{} cannot be a root key", file.display()))
                .hint("use an SSH key: Ed25519, ECDSA P-256 or P-384, RSA from 2048 bits, or a security key")
        })?;
        let mut words = line.split_ascii_whitespace();
        let material: Vec<_> = words.by_ref().take(2).collect();
        let comment = words.next().unwrap_or_default();
        let file = absolute(file).map_err(Failure::usage)?;
        Ok(Self { name: name(comment, &file), line: material.join(" "), key, file })
    }

    /// The key itself.
    pub(crate) fn key(&self) -> &SshKey {
        &self.key
    }

    /// Has a message signed, and checks that this key did it.
    pub(crate) fn sign(
        &self,
        namespace: &str,
        message: &[u8],
        screen: &mut Screen<'_>,
    ) -> Result<String, Failure> {
        if self.line.starts_with("sk-") {
            screen.note(format_args!("touch the security key of {} when it blinks", self.name))?;
        }
        let hint = "a .pub file needs its private key in ssh-agent: see ssh-add -l";
        let armored = ssh_keygen::sign(&self.file, namespace, message)
            .map_err(|failure| Failure::failed(failure).hint(hint))?;
        let signer =
            sshsig::verify_armored(armored.as_bytes(), namespace, message).map_err(|bad| {
                Failure::failed(bad).of("ssh-keygen gave a signature that is not valid")
            })?;
        if signer == self.key {
            return Ok(armored);
        }
        let what = anyhow!(
            "{} signed as {}, and its .pub file says {}",
            self.file.display(),
            signer.fingerprint(),
            self.key.fingerprint()
        );
        Err(Failure::failed(what)
            .hint("make the .pub file again: ssh-keygen -y -f FILE > FILE.pub"))
    }
}

/// The public key in a `.pub` file, or beside or in a private one, without its comment.
pub(crate) fn public(file: &Path) -> Result<String, Failure> {
    RootKey::read(file).map(|it| it.line)
}

/// The line of the `.pub` file: the named one, the one beside the private key, or a new one.
fn public_line(file: &Path) -> Result<String, Failure> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(".pub");
    let beside = PathBuf::from(beside);
    let public = if file.extension().is_some_and(|it| it == "pub") { file } else { &beside };
    if !public.is_file() {
        return ssh_keygen::public_half(file).map_err(|failure| {
            Failure::usage(failure).hint("name a private SSH key, or a .pub file")
        });
    }
    let bytes = read_given(public, "key file", PUBLIC_KEY_BYTES_MAX)?;
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().map(str::trim).find(|it| !it.is_empty() && !it.starts_with('#'));
    Ok(line.unwrap_or_default().to_owned())
}

/// What people call a key: `alice` for the comment `alice@laptop`, else the file's name.
fn name(comment: &str, file: &Path) -> String {
    let stem = file.file_stem().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
    let user = comment.split('@').next().unwrap_or_default();
    let plain = |text: &str| -> String {
        let allowed = |it: &char| it.is_ascii_alphanumeric() || NAME_MARKS.contains(*it);
        text.chars().filter(allowed).take(64).collect()
    };
    let names = [plain(user), plain(&stem), "root".to_owned()];
    names.into_iter().find(|it| !it.is_empty()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_called_by_its_comment_or_its_file() {
        for (comment, file, expected) in [
            ("alice@laptop", "/k/id_ed25519", "alice"),
            ("", "/k/id_ed25519.pub", "id_ed25519"),
            ("@", "/k/ops", "ops"),
            ("a\"b: c", "/k/ops", "abc"),
            ("", "/k/\u{e4}", "root"),
        ] {
            assert_eq!(name(comment, Path::new(file)), expected, "{comment:?} {file}");
        }
    }
}
