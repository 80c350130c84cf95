//! SSH certificates, judged by us, by the crate `ssh-key` and by `ssh-keygen`.
//!
//! **Invariant:** the crate's released versions verify no signature by a certificate's key, so it is asked in two
//! steps: of the certificate, and of the signature with the plain key in the certificate's place, which signs the same.

use bowline_trust::armor::put_on;
use bowline_trust::keys::Keys;
use bowline_trust::{Worth, inspect};
use ssh_key::certificate::CertType;
use ssh_key::{Certificate, Fingerprint, HashAlg, PublicKey, SshSig};

use crate::bench::{Folder, Stricter, commit, payload};
use crate::bent::bent;
use crate::oracle_keys::{make_all, sign};
use crate::ssh_blobs::{Blob, KEY};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Why we refuse what the crate takes.
const REASONS: &[(&str, &str)] = &[
    ("SSH certificate of kind \"ecdsa-sha2-nistp521\" is not supported", "ring has no P-521"),
    ("key type \"ecdsa-sha2-nistp521\" is not supported", "an authority of that kind"),
];

/// Our words where the crate reads more than stands there.
const LAX: &[&str] = &["malformed", "the SSH certificate is not signed by the authority it names"];

/// A signer, the authority that certified it, and what it may do.
struct Case {
    certificate: Vec<u8>,
    authority: String,
    signature: Blob,
}

/// Certifies a key with these options, in September unless they say otherwise.
fn certified(folder: &Folder, signer: &str, authority: &str, options: &str) -> Case {
    folder.run(&format!(
        "ssh-keygen -q -s {authority} -I 'the id' -n root,alice@ops -z 7 \
         -V 20260901000000Z:20261001000000Z {options} {signer}.pub"
    ));
    let line = folder.read(&format!("{signer}-cert.pub"));
    let certificate = STANDARD.decode(line.split(' ').nth(1).unwrap()).unwrap();
    let signature = Blob::of(&sign(folder, signer, "sha512", payload().as_bytes()));
    Case { certificate, authority: folder.read(&format!("{authority}.pub")), signature }
}

impl Case {
    fn ours(&self, certificate: &[u8]) -> Result<(), String> {
        let text = put_on(&self.signature.with(KEY, certificate).joined());
        let line = format!("alice@ops cert-authority {}", self.authority);
        let keys = Keys::read(line.as_bytes()).map_err(|bad| format!("{bad:#?}"))?;
        let found = inspect(&commit(&text), &keys);
        if found.result == Worth::Valid { Ok(()) } else { Err(found.reason) }
    }

    fn theirs(&self, certificate: &[u8]) -> bool {
        let authority = PublicKey::from_openssh(&self.authority).unwrap();
        let authority: Fingerprint = authority.fingerprint(HashAlg::Sha256);
        let Ok(read) = Certificate::from_bytes(certificate) else { return false };
        let at = u64::try_from(crate::bench::COMMITTED).unwrap();
        let means = read.validate_at(at, [&authority]).is_ok()
            && read.cert_type() == CertType::User
            && read.valid_principals().iter().any(|it| it == "alice@ops")
            && read.critical_options().is_empty();
        let key = PublicKey::from(read.public_key().clone());
        let text = put_on(&self.signature.with(KEY, key.to_bytes().unwrap()).joined());
        let signed = SshSig::from_pem(text)
            .is_ok_and(|it| key.verify("git", payload().as_bytes(), &it).is_ok());
        means && signed
    }

    fn by_program(&self, folder: &Folder, certificate: &[u8]) -> bool {
        folder.write("text", put_on(&self.signature.with(KEY, certificate).joined()));
        folder.write("payload", payload());
        folder.write("signers", format!("alice@ops cert-authority {}", self.authority));
        let verify = "ssh-keygen -q -Y verify -n git -I alice@ops -f signers -s text \
                      -O verify-time=20260921000000Z < payload";
        folder.tries(verify).0
    }

    #[track_caller]
    fn compare(&self, folder: &Folder, seen: &mut Stricter, what: &str, certificate: &[u8]) {
        let ours = self.ours(certificate);
        // The crate holds no field to its length, and rebuilds what is signed: there OpenSSH has the word.
        let is_lax = ours.as_ref().is_err_and(|why| LAX.iter().any(|it| why.contains(it)));
        let theirs = self.theirs(certificate) && (!is_lax || self.by_program(folder, certificate));
        seen.note(what, ours, theirs);
    }
}

#[test]
fn bent_certificates_are_judged_as_the_crate_judges_them() {
    let folder = Folder::new("ssh-certificates");
    make_all(&folder);
    let mut seen = Stricter::by(REASONS);
    for (signer, authority, options) in [
        ("ed25519", "p256", ""),
        ("p256", "p384", "-O clear"),
        ("p384", "rsa2048", ""),
        ("rsa2048", "ed25519", "-O no-pty -O extension:x@example.org=hello"),
        ("rsa3072", "rsa3072", ""),
        ("p521", "ed25519", ""),
        ("ed25519", "p521", ""),
        ("rsa1024", "ed25519", ""),
        ("p256", "ed25519", "-V 20260101000000Z:20260201000000Z"),
        ("p256", "ed25519", "-n bob@ops"),
        ("p256", "ed25519", "-O force-command=true"),
        ("p256", "ed25519", "-h"),
    ] {
        let case = certified(&folder, signer, authority, options);
        let name = format!("{signer} by {authority} {options}");
        case.compare(&folder, &mut seen, &name, &case.certificate);
        for (what, bytes) in bent(&case.certificate) {
            case.compare(&folder, &mut seen, &format!("{name}: {what}"), &bytes);
        }
    }
    seen.close(25_000);
}

#[test]
fn what_we_take_of_certificates_openssh_takes_as_well() {
    let folder = Folder::new("ssh-certificates-third");
    make_all(&folder);
    let mut seen = Stricter::by(&[
        ("with the critical option", "nobody here could keep to one"),
        ("kind \"ecdsa-sha2-nistp521\" is not supported", "ring has no P-521"),
    ]);
    // A certificate for ever is beyond the crate's idea of time.
    for (signer, authority, options) in [
        ("ed25519", "p256", "-V always:forever"),
        ("p384", "rsa2048", ""),
        ("rsa2048", "ed25519", ""),
        ("p521", "ed25519", ""),
        ("p256", "ed25519", "-n bob@ops"),
        ("p256", "ed25519", "-O source-address=10.0.0.0/8"),
        ("p256", "ed25519", "-h"),
    ] {
        let case = certified(&folder, signer, authority, options);
        let name = format!("{signer} by {authority} {options}");
        let whole = [(name.clone(), case.certificate.clone())];
        for (what, bytes) in whole.into_iter().chain(bent(&case.certificate).step_by(43)) {
            let theirs = case.by_program(&folder, &bytes);
            seen.note(&format!("{name}: {what}"), case.ours(&bytes), theirs);
        }
    }
    seen.close(400);
}
