//! What a person can do about each code of a refusal, a wait or a failure.
//!
//! **Invariant:** every code that anybody may see has its line here, and only here.
//! **Invariant:** a hint is one line that begins with what to do; it repeats nothing of the detail.

/// What to do about a code; `None` for a code that this version does not know.
pub fn of(code: &str) -> Option<&'static str> {
    HINTS.iter().find(|(name, _)| *name == code).map(|(_, hint)| *hint)
}

/// Each code, and what to do about it: what was offered, what it asks for, how it fared, the host, the
/// remote.
pub const HINTS: &[(&str, &str)] = &[
    (
        "unsigned",
        "sign that commit itself, a later one does not heal it: git commit --amend -S, or take it off the branch; else have root keys adopt it: bowline trust adopt",
    ),
    (
        "bad-signature",
        "the object was changed after signing, or signed for another purpose: find out where it came from",
    ),
    ("malformed-commit", "git made no such object: inspect it with `bowline trust inspect`"),
    (
        "unsupported-signature",
        "sign with an SSH key: Ed25519, ECDSA P-256 or P-384, RSA from 2048 bits, or a security key",
    ),
    (
        "unknown-key",
        "take that commit off the branch; add its key to the policy in a commit that somebody known signs, then merge again",
    ),
    ("key-expired", "sign with a current key, or extend notAfter by a root-signed policy"),
    (
        "key-revoked",
        "sign again with another key; move the anchor past commits that the revoked key signed",
    ),
    ("not-a-merger", "let one of the policy's merge.mergers sign the merge"),
    (
        "not-fast-forward",
        "somebody rewound or replaced the branch: push the last verified commit to it again and merge on top of it",
    ),
    ("wrong-repository", "compare repoUri in policy.yaml with repo.uri in trust.yaml"),
    ("wrong-ref", "compare ref in policy.yaml with repo.ref in trust.yaml"),
    ("policy-missing", "restore .bowline/policy.yaml and .bowline/policy.dsse.json"),
    ("policy-not-a-file", "replace the link or folder by a regular file of moderate size"),
    ("policy-version", "raise version in policy.yaml and have it signed again"),
    (
        "policy-below-threshold",
        "raise its version and have enough root keys sign it as it is now: bowline policy sign",
    ),
    (
        "policy-expired",
        "merge a root-signed policy with a later date, in a commit that changes nothing else; or correct this host's clock",
    ),
    ("policy-malformed", "check the files with `bowline validate`"),
    (
        "root-malformed",
        "restore .bowline/root.jsonl as it was in the parent; a new line comes from `bowline trust rotate`",
    ),
    (
        "root-below-threshold",
        "have a threshold of the former root keys and one of the new ones sign it: bowline trust rotate",
    ),
    (
        "root-version",
        "restore .bowline/root.jsonl as the last verified commit has it; compare root in trust.yaml with it",
    ),
    ("future-dated", "correct the clock of whoever committed, or of this host"),
    ("before-parent", "correct the clock of whoever committed and commit again"),
    ("below-floor", "merge a newer commit, or compare floors.notBefore with the repository"),
    (
        "anchor-mismatch",
        "compare anchor in trust.yaml with the repository; do not overwrite either before you know why",
    ),
    (
        "state-mismatch",
        "state or object store was changed behind the agent: find out by whom, then bowline trust reset",
    ),
    (
        "state-older",
        "a backup was restored or state was rolled back: find out by whom, then bowline trust reset",
    ),
    (
        "object-mismatch",
        "fetch again; if it stays, the object store is damaged or was tampered with",
    ),
    (
        "manifests-unreadable",
        "mend the manifests (bowline validate), or have fewer YAML files in the repository's folder",
    ),
    ("gate-unsupported", "upgrade the agent, or drop the demand by a root-signed policy"),
    (
        "evidence-missing",
        "let CI attest the merged tree with the gate's key: bowline attest KIND --key FILE --push REMOTE REPORT",
    ),
    (
        "evidence-malformed",
        "attest again with `bowline attest`, or with the tool that the gate's predicate belongs to",
    ),
    (
        "evidence-failed",
        "mend what failed and merge it; a newer statement of the same signer replaces this one",
    ),
    (
        "evidence-below",
        "mend what is below the limit and merge it, or change the limit by a root-signed policy",
    ),
    (
        "evidence-stale",
        "run the check again on the same revision and attest it; the statement must say when",
    ),
    (
        "approval-missing",
        "have people approve the commit that is named: bowline approve COMMIT --key FILE --push REMOTE",
    ),
    (
        "stale",
        "have the policy's freshness.signer sign the branch: bowline head sign --push REMOTE; if its word is there, ask why it is withheld",
    ),
    ("revision-revoked", "merge a commit with another tree on top"),
    ("walk-too-long", "raise limits.commitsPerWalk in trust.yaml, or move the anchor forward"),
    ("clock-behind", "correct the host's clock"),
    ("trust-file-malformed", "correct root.keys in trust.yaml"),
    (
        "trust-file-changed",
        "run it again: the walk then begins at the anchor of the new trust file",
    ),
    (
        "conflict",
        "somebody changed the path at the same time: let only one of them write it; it is tried again by itself",
    ),
    ("not-ours", "move the object away, or let the manifest say policy.adopt: always"),
    ("not-empty", "empty the folder first, or declare with it what it holds"),
    ("missing-parent", "declare a Directory for the folder, or make it"),
    (
        "unsafe-path",
        "let a plain folder or file stand there: links, devices and mounts are not followed",
    ),
    ("unsupported", "take the setting out of the manifest, or upgrade the agent"),
    ("irreversible", "take requireReversible out of the manifest, or give its command an undo"),
    (
        "prune-brake",
        "bring the manifests back, and take fewer away in one merge; keep at least one",
    ),
    (
        "baseline-failed",
        "look after what the probe asks: the host is not well, and the change waits for it",
    ),
    (
        "host-unknown",
        "give hosts/*.yaml a Host with this host's key again, or take away what it manages before that",
    ),
    (
        "generation-too-large",
        "lower spec.keep of the artifact, let it hold less, or shorten its releasesDir",
    ),
    ("plan-too-large", "split the change into smaller merges"),
    (
        "quarantined",
        "merge a change to one of these resources, or take the change out; or order `bowline retry`",
    ),
    (
        "state-taken",
        "ask the agent that runs: `bowline sync --wait`; or end it first: `systemctl stop bowline-agent`",
    ),
    ("paused", "end the pause when its reason is over: bowline resume"),
    (
        "nothing-to-revert",
        "merge a revert of the change instead: this host kept no earlier generation that differs",
    ),
    ("agent-too-old", "upgrade the agent, or lower minimumAgent in bowline.yaml"),
    (
        "invalid-manifest",
        "correct the manifests: `bowline validate` names faults of their form, `bowline plan` what this host lacks",
    ),
    (
        "unresolved-reference",
        "add what the manifest names, on the host or in the repository, or name another",
    ),
    (
        "hostile-tree",
        "take the entry out of the repository: only plain files, folders and links inside it are taken",
    ),
    ("missing-file", "commit the file that the manifest names"),
    ("too-large", "make it smaller, or raise limits in the trust file where one is named"),
    ("validation-failed", "correct the content until the manifest's validate program accepts it"),
    ("handler-failed", "look at the unit's own log, correct the change, and merge again"),
    ("unit-failed", "look at the unit's own log, correct the change, and merge again"),
    ("unit-masked", "let the manifest say masked: false, or state: stopped"),
    (
        "unit-unknown",
        "leave enabled and masked out, or let [host] serviceManager answer is-enabled",
    ),
    ("service", "look at [host] serviceManager in the agent's settings, and whether it answers"),
    ("testing", "merge the branch, or delete it: until then the host tries it out"),
    (
        "testing-drifted",
        "put it back, or push what it should be to the branch testing-NAME: nothing is repaired before the test's end",
    ),
    (
        "testing-runs",
        "delete the branch testing-NAME, or set [source] testing = false, then order again",
    ),
    (
        "testing-only",
        "take that commit off the branch; merge what was tried out by a commit of its own, without the trailer",
    ),
    (
        "testing-unbound",
        "sign it for that host: git commit --amend -S --trailer \"Bowline-Testing: NAME\"",
    ),
    ("testing-over", "nothing: what was tried out is taken back"),
    (
        "testing-irreversible",
        "give each command of it an undo; what cannot be taken back is not tried out",
    ),
    ("testing-policy", "merge the changed policy first; a policy binds every host"),
    (
        "probe-failed",
        "look at what the probe saw, correct the change, and merge again: it is not tried again as it is",
    ),
    ("command-failed", "look at what the program printed, correct the change, and merge again"),
    ("command-timeout", "raise spec.timeout, or find out what the program waits for"),
    ("account", "make the user or group on the host first"),
    ("interrupted", "nothing: it is tried again by itself"),
    ("stopped", "nothing: it is tried again by itself"),
    ("drift-detected", "put the paths back, or let the manifest say policy.drift: repair"),
    ("no-room", "free space on the filesystem that is named; it is tried again by itself"),
    ("stage-mismatch", "look after the disk: what was written is not what is read"),
    ("io", "look at the cause that is named: a disk, a permission or a limit of this host"),
    ("journal", "look after the filesystem of the state folder; it is tried again by itself"),
    ("state", "look after the filesystem of the state folder; it is tried again by itself"),
    ("record", "look after the filesystem of the state folder; it is tried again by itself"),
    (
        "records-damaged",
        "find out who changed the records; to begin a new chain, move their folder and KEY.records aside",
    ),
    (
        "stranded",
        "put the paths that are named right by hand; the agent touches nothing until it is started again",
    ),
    (
        "journal-damaged",
        "find out what damaged it; compare the host with `.bowline-stage`, then move the journal aside",
    ),
    (
        "stage-without-journal",
        "look for the journal in a backup of the state folder; else move what is wanted out of the stage, and remove it",
    ),
    ("bug", "report it with the agent's log; nothing was changed by it"),
    ("no-source", "name one under [source] url"),
    (
        "unsupported-remote",
        "name a path, or an address of https, ssh or file, or user@host:path, under [source] url",
    ),
    ("remote-address", "correct the address under [source] url"),
    ("remote-elsewhere", "name a path; what the agent fetched last lies in its state folder"),
    (
        "remote-ssh",
        "try the same as the agent's user: ssh -o BatchMode=yes; see knownHostsFile and sshKeyFile",
    ),
    (
        "remote-denied",
        "name a tokenFile, netrcFile or clientCert that the server knows; after a redirect to another server none is sent",
    ),
    (
        "remote-credentials",
        "correct the file that tokenFile or netrcFile under [source] names; its mode is 0600",
    ),
    ("remote-redirect", "name the address that the server means under [source] url"),
    (
        "remote-protocol",
        "check that [source] url is the address that `git ls-remote` takes; else ask whoever runs the server",
    ),
    ("remote-refused", "look at what the server says, and at its own log"),
    ("remote-shallow", "let the server's repository have its whole history: git fetch --unshallow"),
    (
        "not-a-repository",
        "check [source] url; the agent must be able to read it; where it names a bundle, put the first one there: bowline bundle import FILE",
    ),
    ("empty-repository", "push a first commit"),
    ("missing-ref", "check [source] ref; it is written in full: refs/heads/main"),
    ("not-a-commit", "name a branch under [source] ref; annotated tags are not followed"),
    ("object-format", "use a repository made with --object-format=sha1"),
    ("remote-damaged", "run git fsck there; its references must be in Git's \"files\" format"),
    ("fetch-timeout", "raise [source] timeout"),
    (
        "bundle-malformed",
        "make it with `bowline bundle create` or `git bundle create`, and copy it again",
    ),
    ("bundle-unsupported", "make it without --filter, by `bowline bundle create`"),
    (
        "bundle-prerequisite",
        "bring a bundle that begins earlier: `bowline bundle create` without --since, or with a commit this host has",
    ),
    (
        "unpack-died",
        "find out who ended it, a person or a lack of memory; it is tried again, and what a hostile remote sends is refused each time",
    ),
    (
        "unpack-unconfined",
        "boot a kernel with Landlock (lsm=landlock,…), or run the agent where root may give files to nobody (65534)",
    ),
    (
        "unreachable",
        "check the address, the proxy, and what stands between; it is tried again by itself",
    ),
    (
        "tls",
        "check caFile, the certificates of both sides and their dates; it is tried again by itself",
    ),
    (
        "client-certificate",
        "name [control] clientCert and clientKey in the agent's settings, of an authority that the service believes, and restart it",
    ),
    ("server-late", "look after the server or the line to it; it is tried again by itself"),
    (
        "artifact-status",
        "look whether the release is there, and whether anybody may fetch it; it is tried again by itself",
    ),
    ("artifact-redirect", "name the address that it leads to in the manifest, over https"),
    ("artifact-missing", "put the file there; it is looked for again by itself"),
    (
        "artifact-digest",
        "find out who is right: let the manifest say the release's own SHA-256, or look after the server",
    ),
    ("artifact-too-large", "make the release smaller, or split it into several artifacts"),
    ("artifact-no-room", "raise [artifacts] cache, or let fewer and smaller releases be wanted"),
    (
        "artifact-damaged",
        "make the archive anew, with tar and gzip or zstd, or with zip, and look at it with the same program",
    ),
    (
        "artifact-path",
        "make the archive anew: plain relative names, each once, in UTF-8, that differ by more than their case",
    ),
    (
        "artifact-link",
        "make the archive anew: links in it must lead to something in it, hard links to a file before them",
    ),
    (
        "artifact-member",
        "make the archive anew of plain files, folders and links; let a Command or unit give privileges and attributes",
    ),
    ("artifact-window", "pack it again without --long and --ultra, or with --long=25 at most"),
    ("artifact-empty", "make the archive anew, of the folder that holds the release"),
    ("artifact-late", "look after the disk of state.dir, or make the release smaller"),
    (
        "artifact-away",
        "look after the server of the release; the archive is fetched again by itself",
    ),
    ("answer-too-large", "find out what answers there: no such server sends that much"),
    ("bad-answer", "find out what answers at that address; it is tried again by itself"),
    ("missing-object", "run git fsck on the remote; the agent fetches everything again by itself"),
    (
        "sequence-too-large",
        "find out what wrote that record on the host: no agent counts that far, which takes decades",
    ),
    (
        "unreadable-record",
        "find out what wrote that record on the host: no agent writes numbers or fields that cannot be read back",
    ),
    (
        "retired",
        "to take the host back: give it a key of its own and a new token, then `bowline-control host approve`",
    ),
    (
        "repository",
        "nothing: the agent's copy is fetched again; should it come back, look after the disk",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_code_stands_once_and_its_hint_is_one_line() {
        let names: BTreeSet<_> = HINTS.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), HINTS.len());
        for (name, hint) in HINTS {
            let plain = |it: char| it.is_ascii_lowercase() || it == '-';
            assert!(name.chars().all(plain), "{name}");
            assert!(!hint.is_empty() && !hint.ends_with('.') && !hint.contains('\n'), "{name}");
        }
        assert_eq!((of("unsigned").is_some(), of("unheard-of")), (true, None));
    }
}
