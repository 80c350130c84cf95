//! Keys of each kind of OpenSSH's, made by its own program and by the crate `ssh-key`, which sign messages.
//!
//! **Invariant:** keys of the crate come from a fixed seed; those of programs are made for one run.

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use ssh_key::private::{EcdsaKeypair, Ed25519Keypair, KeypairData};
use ssh_key::{EcdsaCurve, HashAlg, LineEnding, PrivateKey, SshSig};

use crate::bench::Folder;

/// The kinds that `ssh-keygen` makes, with its options; the last two are none that we verify with.
pub(crate) const KINDS: &[(&str, &str)] = &[
    ("ed25519", "-t ed25519"),
    ("p256", "-t ecdsa -b 256"),
    ("p384", "-t ecdsa -b 384"),
    ("rsa2048", "-t rsa -b 2048"),
    ("rsa3072", "-t rsa -b 3072"),
    ("p521", "-t ecdsa -b 521"),
    ("rsa1024", "-t rsa -b 1024"),
];

/// How many of them we verify with.
pub(crate) const SUPPORTED: usize = 5;

/// Makes a key of each kind.
pub(crate) fn make_all(folder: &Folder) {
    for (name, options) in KINDS {
        folder.run(&format!("ssh-keygen -q {options} -N '' -C {name} -f {name}"));
    }
}

/// A signature by `ssh-keygen` in the namespace `git`.
pub(crate) fn sign(folder: &Folder, key: &str, hash: &str, message: &[u8]) -> String {
    folder.write("message", message);
    folder.run(&format!(
        "ssh-keygen -q -Y sign -n git -O hashalg={hash} -f {key} < message 2>/dev/null"
    ))
}

/// Keys that the crate makes; its released version signs with no RSA key of its own making.
pub(crate) fn of_the_crate() -> Vec<PrivateKey> {
    let mut random = StdRng::seed_from_u64(20_260_921);
    let curve = |random: &mut StdRng, curve| EcdsaKeypair::random(random, curve).unwrap();
    let pairs = vec![
        KeypairData::from(Ed25519Keypair::random(&mut random)),
        KeypairData::from(curve(&mut random, EcdsaCurve::NistP256)),
        KeypairData::from(curve(&mut random, EcdsaCurve::NistP384)),
    ];
    pairs.into_iter().map(|it| PrivateKey::new(it, "the crate's").unwrap()).collect()
}

/// A signature by the crate in the namespace `git`.
pub(crate) fn sign_by_crate(key: &PrivateKey, hash: HashAlg, message: &[u8]) -> String {
    let made: SshSig = key.sign("git", hash, message).unwrap();
    made.to_pem(LineEnding::LF).unwrap()
}
