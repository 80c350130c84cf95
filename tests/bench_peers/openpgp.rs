//! Somebody who signs as OpenPGP with RSA of 4096 bits: the largest keys that people have.
//!
//! **Invariant:** what is signed here, GnuPG verifies as well; `git verify-commit` is asked in the same run.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bowline_model::digest::hex;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair, PublicKeyComponents};
use ring::signature::RSA_PKCS1_SHA256;
use tests::village::BEGINNING;

/// When the key was made: the day before the first commit.
const MADE: i64 = BEGINNING - 86_400;

/// RSA, and SHA-256.
const HOW: [u8; 2] = [1, 8];

/// Whose key it is.
const USER: &[u8] = b"A <a@example.org>";

/// Somebody with a key.
pub(crate) struct Owner {
    pair: KeyPair,
}

impl Owner {
    /// Makes a key, with OpenSSL: ring makes none of RSA.
    pub(crate) fn new() -> Result<Self> {
        let words = ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:4096"];
        let made = Command::new("openssl").args(words).args(["-outform", "DER"]).output();
        let made = made.context("start openssl")?;
        ensure!(made.status.success(), "openssl made no key");
        let words = ["pkcs8", "-topk8", "-nocrypt", "-inform", "DER", "-outform", "DER"];
        let der = piped(Path::new("openssl"), &words, &made.stdout)?;
        let pair = KeyPair::from_pkcs8(&der).ok().context("ring takes no such key")?;
        Ok(Self { pair })
    }

    /// The key's packet, without its head.
    fn body(&self) -> Result<Vec<u8>> {
        let PublicKeyComponents { n, e } = PublicKeyComponents::<Vec<u8>>::from(self.pair.public());
        let made = u32::try_from(MADE)?.to_be_bytes();
        Ok([&[4][..], &made, &HOW[..1], &number(&n)?, &number(&e)?].concat())
    }

    /// The key as signatures hash it.
    fn framed(&self) -> Result<Vec<u8>> {
        let body = self.body()?;
        Ok([&[0x99], &u16::try_from(body.len())?.to_be_bytes()[..], &body].concat())
    }

    /// Its name: forty digits.
    pub(crate) fn fingerprint(&self) -> Result<String> {
        Ok(hex(&self.fingerprint_bytes()?).to_uppercase())
    }

    fn fingerprint_bytes(&self) -> Result<Vec<u8>> {
        Ok(digest(&SHA1_FOR_LEGACY_USE_ONLY, &self.framed()?).as_ref().to_vec())
    }

    /// The key and its word on whose it is, for `gpg --import` and for policies.
    pub(crate) fn certificate(&self) -> Result<String> {
        let length = u32::try_from(USER.len())?.to_be_bytes();
        let over = [&self.framed()?[..], &[0xb4], &length, USER].concat();
        // That it may sign.
        let word = self.say(0x13, MADE, &subpacket(27, &[3])?, &over)?;
        let packets = [packet(6, &self.body()?)?, packet(13, USER)?, packet(2, &word)?];
        armored("PUBLIC KEY BLOCK", &packets.concat())
    }

    /// A detached signature over a document.
    pub(crate) fn sign(&self, document: &[u8], at: i64) -> Result<String> {
        armored("SIGNATURE", &packet(2, &self.say(0, at, b"", document)?)?)
    }

    fn say(&self, kind: u8, at: i64, more: &[u8], over: &[u8]) -> Result<Vec<u8>> {
        let made = subpacket(2, &u32::try_from(at)?.to_be_bytes())?;
        let fingerprint = self.fingerprint_bytes()?;
        let issuer = subpacket(33, &[&[4], &fingerprint[..]].concat())?;
        // GnuPG finds a key's word on itself by the last eight bytes only.
        let id = subpacket(16, fingerprint.get(12..).unwrap_or_default())?;
        let hashed = [&made[..], more, &issuer, &id].concat();
        let length = u16::try_from(hashed.len())?.to_be_bytes();
        let head = [&[4, kind], &HOW[..], &length, &hashed].concat();
        let end = u32::try_from(head.len())?.to_be_bytes();
        let signed = [over, &head, &[4, 0xff], &end].concat();
        let mut value = vec![0; self.pair.public().modulus_len()];
        let random = SystemRandom::new();
        let signing = self.pair.sign(&RSA_PKCS1_SHA256, &random, &signed, &mut value);
        signing.ok().context("sign as OpenPGP")?;
        let begins = digest(&SHA256, &signed);
        let begins = begins.as_ref().get(..2).unwrap_or_default().to_vec();
        Ok([&head[..], &[0, 0], &begins, &number(&value)?].concat())
    }
}

/// A big integer: its bits, then its bytes.
fn number(bytes: &[u8]) -> Result<Vec<u8>> {
    let zeros = bytes.iter().take_while(|it| **it == 0).count();
    let bytes = bytes.get(zeros..).unwrap_or_default();
    let unused = bytes.first().map_or(0, |it| it.leading_zeros());
    let bits = u16::try_from(bytes.len() * 8)? - u16::try_from(unused)?;
    Ok([&bits.to_be_bytes(), bytes].concat())
}

fn packet(tag: u8, body: &[u8]) -> Result<Vec<u8>> {
    let length = u32::try_from(body.len())?.to_be_bytes();
    Ok([&[0xc0 | tag, 0xff], &length[..], body].concat())
}

fn subpacket(kind: u8, value: &[u8]) -> Result<Vec<u8>> {
    let length = u8::try_from(value.len() + 1)?;
    Ok([&[length, kind], value].concat())
}

fn armored(what: &str, packets: &[u8]) -> Result<String> {
    let letters = STANDARD.encode(packets);
    // Base64 is ASCII; GnuPG reads no lines that are much longer.
    let lines: Vec<&str> =
        letters.as_bytes().chunks(64).map(str::from_utf8).collect::<Result<_, _>>()?;
    let (lines, sum) = (lines.join("\n"), STANDARD.encode(crc24(packets)));
    Ok(format!("-----BEGIN PGP {what}-----\n\n{lines}\n={sum}\n-----END PGP {what}-----\n"))
}

/// The checksum, without which older versions of GnuPG read on behind the end.
fn crc24(bytes: &[u8]) -> [u8; 3] {
    let mut sum: u32 = 0x00b7_04ce;
    for byte in bytes {
        sum ^= u32::from(*byte) << 16;
        for _ in 0..8 {
            sum <<= 1;
            if sum & 0x0100_0000 != 0 {
                sum ^= 0x0186_4cfb;
            }
        }
    }
    let [_, first, second, third] = sum.to_be_bytes();
    [first, second, third]
}

/// Runs a program with this input; gives what it printed.
pub(crate) fn piped(program: &Path, words: &[&str], input: &[u8]) -> Result<Vec<u8>> {
    let mut child = Command::new(program)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("start {}", program.display()))?;
    // Inputs are a few kilobytes, which every pipe takes at once.
    child.stdin.take().context("it has no input")?.write_all(input)?;
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} failed: {said}", program.display());
    Ok(output.stdout)
}
