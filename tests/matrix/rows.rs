//! The rows: numbers and names as in the design.
//!
//! **Invariant:** every row stands here, also those that a later version brings.

/// A number and what it is about.
pub(crate) type Row = (u32, &'static str);

/// Faults.
pub(crate) const FAULTS: &[Row] = &[
    (1, "a crash at every effect of the model, and of its recovery"),
    (2, "SIGKILL at every relevant system call"),
    (3, "the same inside recovery"),
    (4, "power cut that loses unsynced writes, in a virtual machine"),
    (5, "journal torn, flipped, duplicated, lost"),
    (6, "a sync that fails"),
    (7, "no space at every write"),
    (8, "read-only, out of descriptors, memory or quota"),
    (9, "lying sync and power cut"),
    (10, "target edited by another"),
    (11, "symlink race in a user-writable parent"),
    (12, "killed during apt"),
    (13, "lock held: state folder, repository (dpkg: later)"),
    (14, "two agents"),
    (15, "clock a year off"),
    (16, "reboot in each phase"),
    (17, "the change breaks the boot"),
    (18, "thin pool full"),
    (19, "thick snapshot overflows"),
    (20, "crash between commands of a restore"),
    (21, "busy mount at restore"),
    (22, "freezer killed"),
    (23, "cloud API faults"),
    (24, "probe flaps, hangs, fails in soak"),
    (25, "an undo step fails for good"),
    (26, "state deleted, or older than the host"),
    (27, "10,000-file plan killed"),
    (28, "secrets store down during revert"),
    (29, "force-push while a deployment is open"),
    (30, "power cut at every operation; each barrier removed"),
];

/// An attack, and the codes by which a host names it.
pub(crate) type Attack = (u32, &'static str, &'static str);

/// Attacks. Some end without a code of the judgement: they are bounded, or nothing is seen of them.
pub(crate) const ATTACKS: &[Attack] = &[
    (1, "unsigned, wrong key, any byte changed", "unsigned bad-signature unknown-key"),
    (2, "NUL, look-alike headers, duplicate signatures", "malformed-commit bad-signature"),
    (3, "SSHSIG namespace, version, hash, RSA, presence", "bad-signature unsupported-signature"),
    (
        4,
        "SSH certificates",
        "bad-signature unsupported-signature unknown-key key-expired key-revoked",
    ),
    (5, "OpenPGP", "bad-signature unsupported-signature unknown-key key-expired key-revoked"),
    (6, "back-dated, future-dated, before its parent", "key-expired future-dated before-parent"),
    (7, "revocation list missing", "policy-malformed"),
    (8, "e-mail of a trusted person", "unknown-key"),
    (9, "rewind, sibling, unrelated root", "not-fast-forward"),
    (
        10,
        "teleport from another branch or repository",
        "not-fast-forward wrong-repository wrong-ref",
    ),
    (11, "swapped parents", "not-fast-forward"),
    (12, "bad commit in the middle", "bad-signature unsigned unknown-key"),
    (13, "tag retargeted", ""),
    (14, "forge signature without approval", "approval-missing"),
    (15, "self-approval", "approval-missing"),
    (16, "approval of something else", "approval-missing"),
    (17, "DSSE tricks", "evidence-missing"),
    (18, "attestation for another tree", "evidence-missing"),
    (19, "signer of another gate", "evidence-missing"),
    (20, "result below the limit", "evidence-failed evidence-below evidence-malformed"),
    (21, "vulnerability above the limit", "evidence-below evidence-stale"),
    (22, "old scan replayed", "evidence-stale"),
    (23, "evidence withheld", "evidence-missing key-revoked"),
    (24, "summary of another verifier", "evidence-missing evidence-below evidence-failed"),
    (25, "junk or huge notes", ""),
    (
        26,
        "a commit that authorises itself",
        "unknown-key policy-below-threshold policy-missing policy-not-a-file",
    ),
    (
        27,
        "policy version, threshold, expiry",
        "policy-version policy-below-threshold policy-malformed policy-expired",
    ),
    (28, "offline host, fork by a retired key", "key-expired"),
    (29, "state deleted or rolled back, clock set back", "state-older state-mismatch clock-behind"),
    (30, "power cut between verify and persist; ref moved", ""),
    (31, "hostile tree entries", "hostile-tree"),
    (32, "freeze", ""),
    (33, "pack bomb, delta bomb, endless stream", "remote-damaged"),
    (34, "log edited, rewound, forked", "records-damaged"),
];
