//! How a host's key becomes known to the control service.
//!
//! **Invariant:** the request is signed by the key that it names, and the token is a part of what is
//! signed: nobody enrols a key that they do not hold, or with a proof that was made for another token.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The media type of a request inside its DSSE envelope.
pub const PAYLOAD_TYPE: &str = "application/vnd.bowline.enrolment+json";

/// The version of the request's shape.
pub const VERSION: u32 = 1;

/// What a host asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Request {
    /// The shape's version.
    pub v: u32,
    /// The host's name.
    pub host: String,
    /// The host's public key, as in its `host.key.pub`: `ssh-ed25519 AAAA…`.
    pub key: String,
    /// The token that a person gave it; empty for a key that stands in the host's merged manifest.
    pub token: String,
}

/// How a key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    /// Its records are taken.
    Enrolled,
    /// Another key has the host's name; a person decides.
    Pending,
    /// A person said no.
    Refused,
    /// A person let another key take its place, or retired the host.
    Retired,
}

impl KeyState {
    /// Every state, in the order of the documentation.
    pub const ALL: [Self; 4] = [Self::Enrolled, Self::Pending, Self::Refused, Self::Retired];

    /// The word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Enrolled => "enrolled",
            Self::Pending => "pending",
            Self::Refused => "refused",
            Self::Retired => "retired",
        }
    }
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Answer {
    /// The host's name.
    pub host: String,
    /// The key's fingerprint: `SHA256:…`.
    pub key: String,
    /// How the key stands now.
    pub state: KeyState,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_is_the_wire_form() {
        for state in KeyState::ALL {
            assert_eq!(serde_json::to_string(&state).unwrap(), format!("\"{}\"", state.word()));
        }
    }
}
