//! Commands as lists of words: never a shell's line.
//!
//! **Invariant:** the first word is the absolute path of a program.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::host_path::HostPath;

/// Most words: a command that needs more reads a file.
const MAX_WORDS: usize = 256;

/// Longest word (`MAX_ARG_STRLEN`, with its NUL).
const WORD_LENGTH: usize = 131_071;

/// What the staged file's path is written as.
const STAGED: &str = "%s";

/// What a person should write.
const EXPECTED: &str = r#"a list such as ["/usr/bin/systemctl", "is-active", "shop.service"]"#;

/// A program and its arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Argv(Vec<String>);

impl Argv {
    /// Checks a list of words.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(words: Vec<String>) -> Result<Self, &'static str> {
        let program = words.first().ok_or("is empty")?;
        if program.parse::<HostPath>().is_err() {
            return Err("does not begin with the absolute path of a program");
        }
        if words.len() > MAX_WORDS {
            return Err("has more than 256 words");
        }
        if words.iter().any(|it| it.len() > WORD_LENGTH || it.contains('\0')) {
            return Err("has a word that is too long or holds a NUL");
        }
        Ok(Self(words))
    }

    /// The program's path.
    pub fn program(&self) -> &str {
        self.0.first().map(String::as_str).unwrap_or_default()
    }

    /// All words, the program first.
    pub fn words(&self) -> &[String] {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Argv {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::new(Vec::<String>::deserialize(from)?).map_err(refused)
    }
}

fn refused<E: de::Error>(why: &str) -> E {
    let found = format!("a command that {why}");
    E::invalid_value(de::Unexpected::Other(&found), &EXPECTED)
}

impl JsonSchema for Argv {
    fn schema_name() -> Cow<'static, str> {
        "Argv".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array",
            "items": {"type": "string"},
            "minItems": 1,
            "maxItems": MAX_WORDS,
            "description": "A program's absolute path and its arguments; no shell."
        })
    }
}

/// A command that checks a file: with `%s` the staged one before any change, without it the real
/// one after the exchange and before handlers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Validation(Argv);

impl Validation {
    /// Whether it checks the staged file, before any change.
    pub fn is_staged(&self) -> bool {
        self.0.words().iter().any(|it| it.contains(STAGED))
    }

    /// The words, with the staged file's path in the place of `%s`.
    pub fn words_for(&self, staged: &str) -> Vec<String> {
        self.0.words().iter().map(|it| it.replacen(STAGED, staged, 1)).collect()
    }

    /// The command as it was written.
    pub fn argv(&self) -> &Argv {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Validation {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let argv = Argv::deserialize(from)?;
        if argv.program().contains(STAGED) {
            return Err(refused("has %s in its program's path"));
        }
        let places: usize = argv.words().iter().map(|it| it.matches(STAGED).count()).sum();
        if places > 1 {
            return Err(refused("has %s more than once"));
        }
        Ok(Self(argv))
    }
}

impl JsonSchema for Validation {
    fn schema_name() -> Cow<'static, str> {
        "Validation".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = Argv::json_schema(generator);
        let text = "A program's absolute path and its arguments. With %s it checks the staged file \
                    before any change; without it, the file in place.";
        schema.insert("description".to_owned(), text.into());
        schema
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_command_is_a_list_that_begins_with_a_program() {
        for (words, good) in [
            (json!(["/bin/true"]), true),
            (json!(["/bin/sh", "-c", "exit 0", ""]), true),
            (json!([]), false),
            (json!(["true"]), false),
            (json!(["/bin/../true"]), false),
            (json!(["/bin/true", "a\0b"]), false),
            (json!("/bin/true"), false),
            (json!(vec!["/bin/true"; 257]), false),
        ] {
            assert_eq!(serde_json::from_value::<Argv>(words.clone()).is_ok(), good, "{words}");
        }
    }

    #[test]
    fn the_staged_path_goes_where_the_mark_is_and_there_is_at_most_one() {
        let read = |words| serde_json::from_value::<Validation>(words);
        let inside = read(json!(["/sbin/visudo", "--file=%s", "-c"])).unwrap();
        assert!(inside.is_staged());
        assert_eq!(inside.words_for("/s/1"), ["/sbin/visudo", "--file=/s/1", "-c"]);
        let after = read(json!(["/sbin/nginx", "-t"])).unwrap();
        assert!(!after.is_staged());
        assert_eq!(after.words_for("/s/1"), after.argv().words());
        for bad in [json!(["/bin/%s"]), json!(["/bin/cmp", "%s", "%s"]), json!(["/bin/x", "%s%s"])]
        {
            assert!(read(bad.clone()).is_err(), "{bad}");
        }
    }
}
