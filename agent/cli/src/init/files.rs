//! The texts that a new repository and its first host begin with.
//!
//! **Invariant:** every text is read back by the reader it is meant for before it is used.

use bowline_model::bundle::CommitEvidence;
use bowline_model::digest::Sha256;
use bowline_model::trust_root::{RefName, RepoUri};
use jiff::Timestamp;

use super::objects::Files;
use super::place::Place;
use crate::keys::RootKey;

/// The first commit's message.
pub(super) const MESSAGE: &str = "Begin with a signed policy and an example\n";

const BOWLINE_YAML: &str = "\
# What holds for the whole repository. Only the listed folders hold manifests; folders called
# templates, files or secrets below them hold content.
apiVersion: bowline/v1
kind: Repository
metadata: {name: NAME}
spec:
  folders: [hosts, apps]
";

const HELLO_YAML: &str = "\
# An example: a folder and a file, on every host. Change the text, commit, and see it follow.
apiVersion: bowline/v1
kind: Directory
metadata: {name: srv}
spec: {path: /srv}
---
apiVersion: bowline/v1
kind: File
metadata: {name: hello}
spec:
  path: /srv/hello.txt
  content: |
    Hello. This host is as its repository says.
";

const HOSTS_README: &str = "\
# Hosts

A host takes part in targets because a file here was merged. Its key's fingerprint is what
`ssh-keygen -l -f` shows for the `.pub` file beside the key that agent.toml names.

    apiVersion: bowline/v1
    kind: Host
    metadata: {name: web-1}
    spec:
      keyFingerprint: \"SHA256:...\"
      environment: test
      labels: {role: web}
";

const README: &str = "\
# NAME

Hosts that follow this repository stand as the branch `REF` says, once its commits are signed by
somebody whom `.bowline/policy.yaml` names.

- `apps/` what stands on hosts; `hosts/` who takes part; `bowline.yaml` which folders are read.
- `.bowline/policy.yaml` who may merge. A change of it needs a higher `version` and, in
  `policy.dsse.json`, the signatures of the root keys that every host's trust file names:
  `bowline policy sign --key FILE`, once by each. It expires: renew it in time.

Check a change before you commit it: `bowline validate .`
Commits are signed: this folder's Git settings see to it.
";

/// The work tree, without the policy.
pub(super) fn content(place: &Place) -> Files {
    let folder = place.folder.file_name().unwrap_or_default().to_string_lossy();
    let branch = place.ref_name.as_str().trim_start_matches("refs/heads/");
    let readme = README.replace("NAME", &folder).replace("REF", branch);
    let texts = [
        ("bowline.yaml", BOWLINE_YAML.replace("NAME", &manifest_name(&folder))),
        ("README.md", readme),
        ("apps/hello/hello.yaml", HELLO_YAML.to_owned()),
        ("hosts/README.md", HOSTS_README.to_owned()),
    ];
    texts.into_iter().map(|(path, text)| (path.to_owned(), text.into_bytes())).collect()
}

/// A folder's name as the name of a manifest.
fn manifest_name(folder: &str) -> String {
    let small = folder.to_ascii_lowercase();
    let plain = small.chars().map(|it| if it.is_ascii_alphanumeric() { it } else { '-' });
    let name: String = plain.take(63).collect();
    match name.trim_matches('-') {
        "" => "fleet".to_owned(),
        name => name.to_owned(),
    }
}

/// The first policy.
pub(super) fn policy(
    uri: &RepoUri,
    ref_name: &RefName,
    keys: &[RootKey],
    expires: Timestamp,
) -> String {
    let principal = |key: &RootKey| {
        let (name, line) = (quoted(&key.name), quoted(&key.line));
        format!("  {name}:\n    kind: human\n    keys:\n      - {{type: ssh, key: {line}}}\n")
    };
    let principals: Vec<_> = keys.iter().map(principal).collect();
    let principals = principals.concat();
    let mergers: Vec<_> = keys.iter().map(|key| quoted(&key.name)).collect();
    let (uri, ref_name, mergers) =
        (quoted(uri.as_str()), quoted(ref_name.as_str()), mergers.join(", "));
    format!(
        "# Who may merge, and what a revision must pass. Each change needs a higher version, and the\n\
         # signatures of the root keys over it: bowline policy sign --key FILE\n\
         version: 1\n\
         # From then on it lets nothing through but its own renewal.\n\
         expires: {expires}\n\
         repoUri: {uri}\n\
         ref: {ref_name}\n\
         # Labels of hosts come from hosts/ here, not from the hosts themselves.\n\
         labels: repository\n\
         principals:\n{principals}\
         merge:\n  mergers: [{mergers}]\n\
         gates: []\n\
         revoked: {{keys: [], commits: [], trees: []}}\n"
    )
}

/// The root of trust for hosts.
pub(super) fn trust(
    uri: &RepoUri,
    ref_name: &RefName,
    anchor: &CommitEvidence,
    keys: &[RootKey],
    threshold: usize,
) -> String {
    let line = |key: &RootKey| {
        format!("    - {{id: {}, key: {}}}\n", quoted(&key.name), quoted(&key.line))
    };
    let lines: Vec<_> = keys.iter().map(line).collect();
    let lines = lines.concat();
    let (uri, ref_name) = (quoted(uri.as_str()), quoted(ref_name.as_str()));
    let (commit, sha256) = (anchor.id, Sha256::of(&anchor.raw));
    format!(
        "# What a host trusts. It belongs to root or to the agent's user, on the host, and nothing in the\n\
         # repository can change it.\n\
         version: 1\n\
         repo:\n  uri: {uri}\n  ref: {ref_name}\n\
         # The commit at which trust begins.\n\
         anchor:\n  commit: \"{commit}\"\n  commitSha256: \"{sha256}\"\n\
         # The keys that may change the policy, and how many of them it takes.\n\
         root:\n  threshold: {threshold}\n  keys:\n{lines}"
    )
}

/// Settings for a first try, with everything beside the repository.
pub(super) fn settings(place: &Place) -> String {
    let path = |it: &std::path::Path| quoted(&it.display().to_string());
    format!(
        "# Settings of bowline-agent for a first try: everything lies beside the repository. On a host\n\
         # leave out [host] key, [state] and [api]: their defaults lie below /etc, /var/lib and /run.\n\
         [source]\nurl = {url}\nref = {ref_name}\n\n\
         [host]\nkey = {key}\n\n\
         [state]\ndir = {state}\n\n\
         [trust]\nfile = {trust}\n\n\
         [api]\nsocket = {socket}\n",
        url = path(&place.folder),
        ref_name = quoted(place.ref_name.as_str()),
        key = path(&place.state.with_extension("host.key")),
        state = path(&place.state),
        trust = path(&place.trust),
        socket = path(&place.state.join("agent.sock")),
    )
}

/// A text in double quotes: JSON's are YAML's and TOML's as well.
fn quoted(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    // The one control character that JSON leaves as it is and TOML does not allow.
    quoted.replace('\u{7f}', "\\u007f")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_is_read_and_assembled_without_a_fault() {
        let texts =
            [("bowline.yaml", BOWLINE_YAML.replace("NAME", "x")), ("a", HELLO_YAML.to_owned())];
        let mut all = Vec::new();
        for (file, text) in texts {
            let (manifests, faults) = bowline_model::read::manifests(file, text.as_bytes());
            assert!(faults.is_empty(), "{faults}");
            all.extend(manifests);
        }
        assert_eq!(bowline_model::desired::Desired::assemble(all).unwrap().resources().len(), 2);
    }

    #[test]
    fn every_folder_name_makes_a_manifest_name() {
        for (folder, expected) in
            [("fleet", "fleet"), ("My Fleet", "my-fleet"), ("\u{e4}", "fleet"), ("..a", "a")]
        {
            assert_eq!(manifest_name(folder), expected);
            assert!(expected.parse::<bowline_model::name::Name>().is_ok());
        }
    }

    #[test]
    fn quotes_hold_whatever_stands_in_a_path() {
        let text = "a\"b\\c\u{7f}\n\u{e4}";
        assert_eq!(quoted(text), "\"a\\\"b\\\\c\\u007f\\n\u{e4}\"");
    }
}
