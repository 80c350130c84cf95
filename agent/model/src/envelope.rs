//! A DSSE envelope: a payload, what it is, and signatures over both.
//!
//! **Invariant:** the payload is the signed bytes themselves, never a re-encoding of them.
//! **Invariant:** nothing here says that a signature is good; `keyid` is a hint from a stranger.

/// A parsed envelope, its base64 undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// What the payload is; part of what is signed.
    pub payload_type: String,
    /// The signed bytes.
    pub payload: Vec<u8>,
    /// Signatures over the [pre-authentication encoding](Envelope::pae).
    pub signatures: Vec<EnvelopeSignature>,
}

/// One signature of an envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvelopeSignature {
    /// The signer's hint at the key. Unauthenticated: it may lie.
    pub key_id: Option<String>,
    /// The signature's bytes.
    pub sig: Vec<u8>,
}

impl Envelope {
    /// The bytes that signatures of this envelope cover.
    pub fn pae(&self) -> Vec<u8> {
        pae(&self.payload_type, &self.payload)
    }
}

/// DSSE's pre-authentication encoding: it binds the payload to its type without ambiguity.
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding_is_the_one_in_the_specification() {
        assert_eq!(
            pae("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }

    #[test]
    fn lengths_count_bytes_not_letters() {
        assert_eq!(pae("ä", b""), "DSSEv1 2 ä 0 ".as_bytes());
    }
}
