//! What the agent is told on its command line.
//!
//! **Invariant:** everything else is told by the settings file.
//! **Invariant:** one table says what is understood, what help prints and what manuals are made of.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::PathBuf;

use lexopt::{Arg, Parser};
use thiserror::Error;

/// The program's name.
pub const NAME: &str = "bowline-agent";

/// What it is for.
pub const ABOUT: &str =
    "Pulls signed desired state from Git, applies it, and keeps it or takes it back, provably";

const CONFIG: &str = "config";
const ROOT: &str = "root";
const ONCE: &str = "once";
const JSON: &str = "json";
const CHECK_CONFIG: &str = "check-config";
const HELP: &str = "help";
const VERSION: &str = "version";

/// A thing that can be said.
#[derive(Debug)]
pub struct Choice {
    /// Its word, behind two dashes.
    pub name: &'static str,
    /// Its letter, behind one.
    pub letter: Option<char>,
    /// What is said with it.
    pub value: Option<&'static str>,
    /// What it does.
    pub help: &'static str,
}

/// All that can be said.
pub const CHOICES: [Choice; 7] = [
    choice(CONFIG, Some("FILE"), "The settings file"),
    choice(ROOT, Some("DIR"), "Everything managed lies below this folder [default: /]"),
    choice(ONCE, None, "Runs one whole cycle, soak included, and ends"),
    choice(JSON, None, "Prints how the cycle ended as JSON; with --once"),
    choice(CHECK_CONFIG, None, "Checks settings and trust file, and ends; without --once"),
    Choice { letter: Some('h'), ..choice(HELP, None, "Print help") },
    Choice { letter: Some('V'), ..choice(VERSION, None, "Print version") },
];

const fn choice(name: &'static str, value: Option<&'static str>, help: &'static str) -> Choice {
    Choice { name, letter: None, value, help }
}

/// What the agent is to do.
#[derive(Debug, PartialEq, Eq)]
pub struct Arguments {
    /// The settings file.
    pub config: PathBuf,
    /// Everything managed lies below this folder.
    pub root: PathBuf,
    /// Runs one whole cycle, and ends.
    pub once: bool,
    /// Prints how the cycle ended as JSON.
    pub json: bool,
    /// Checks settings and trust file, and ends.
    pub check_config: bool,
}

/// What somebody wants.
#[derive(Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Work.
    Work(Arguments),
    /// Words.
    Words(String),
}

/// A command line that makes no sense.
#[derive(Debug, Error)]
pub enum Misused {
    /// A word that nothing is known of, or one without its value.
    #[error("read the command line")]
    Word(#[from] lexopt::Error),
    /// Said more than once.
    #[error("--{0} is said twice")]
    Twice(&'static str),
    /// A path without a letter, as of a shell's variable that is not set.
    #[error("--{0} has an empty path")]
    Empty(&'static str),
    /// Without settings there is nothing to do.
    #[error("--config FILE is missing")]
    NoConfig,
    /// Two that do not go together.
    #[error("{0}")]
    Together(&'static str),
}

/// Reads what was said behind the program's name.
pub fn read(words: impl IntoIterator<Item = OsString>) -> Result<Wanted, Misused> {
    let mut parser = Parser::from_args(words);
    let (mut config, mut root) = (None, None);
    let [mut once, mut json, mut check_config] = [None; 3];
    while let Some(word) = parser.next()? {
        match word {
            Arg::Long(CONFIG) => set(&mut config, path(parser.value()?, CONFIG)?, CONFIG)?,
            Arg::Long(ROOT) => set(&mut root, path(parser.value()?, ROOT)?, ROOT)?,
            Arg::Long(ONCE) => set(&mut once, (), ONCE)?,
            Arg::Long(JSON) => set(&mut json, (), JSON)?,
            Arg::Long(CHECK_CONFIG) => set(&mut check_config, (), CHECK_CONFIG)?,
            Arg::Long(HELP) | Arg::Short('h') => return Ok(Wanted::Words(help())),
            Arg::Long(VERSION) | Arg::Short('V') => return Ok(Wanted::Words(version())),
            unknown => return Err(unknown.unexpected().into()),
        }
    }
    if json.is_some() && once.is_none() {
        return Err(Misused::Together("--json goes with --once only"));
    }
    if check_config.is_some() && once.is_some() {
        return Err(Misused::Together("--check-config does not go with --once"));
    }
    Ok(Wanted::Work(Arguments {
        config: config.ok_or(Misused::NoConfig)?,
        root: root.unwrap_or_else(|| PathBuf::from("/")),
        once: once.is_some(),
        json: json.is_some(),
        check_config: check_config.is_some(),
    }))
}

fn set<T>(place: &mut Option<T>, value: T, name: &'static str) -> Result<(), Misused> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Misused::Twice(name)),
    }
}

fn path(word: OsString, name: &'static str) -> Result<PathBuf, Misused> {
    if word.is_empty() { Err(Misused::Empty(name)) } else { Ok(word.into()) }
}

fn version() -> String {
    format!("{NAME} {}\n", env!("CARGO_PKG_VERSION"))
}

fn help() -> String {
    let mut text = format!("{ABOUT}.\n\nUsage: {NAME} --{CONFIG} <FILE> [OPTIONS]\n\nOptions:\n");
    for Choice { name, letter, value, help } in &CHOICES {
        let letter = letter.map_or_else(|| "    ".to_owned(), |it| format!("-{it}, "));
        let value = value.map_or_else(String::new, |it| format!(" <{it}>"));
        let word = format!("{letter}--{name}{value}");
        // A string takes whatever is written to it.
        let _infallible = writeln!(text, "  {word:<19}  {help}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(words: &str) -> Result<Wanted, Misused> {
        read(words.split_whitespace().map(OsString::from))
    }

    #[test]
    fn everything_in_the_table_is_understood_and_in_the_help() {
        for Choice { name, letter, value, .. } in &CHOICES {
            let value = value.map_or("", |_| " x");
            let letter = letter.map(|it| format!("-{it}"));
            for word in letter.into_iter().chain([format!("--{name}")]) {
                let answer = said(&format!("{word}{value}"));
                assert!(!matches!(answer, Err(Misused::Word(_))), "{word}: {answer:?}");
            }
            assert!(help().contains(&format!("--{name}")), "{name}");
        }
    }

    #[test]
    fn a_command_line_is_what_it_says() {
        let plain = Arguments {
            config: "a.toml".into(),
            root: "/".into(),
            once: false,
            json: false,
            check_config: false,
        };
        assert_eq!(said("--config a.toml").unwrap(), Wanted::Work(plain));
        let once = Arguments {
            config: "a".into(),
            root: "r".into(),
            once: true,
            json: true,
            check_config: false,
        };
        assert_eq!(said("--json --once --root=r --config=a").unwrap(), Wanted::Work(once));
        assert_eq!(said("--config a --version").unwrap(), Wanted::Words(version()));
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        for (words, what) in [
            ("", "--config FILE is missing"),
            ("--config", "missing argument for option '--config'"),
            ("--config a --jsn", "invalid option '--jsn'"),
            ("--config a b", "unexpected argument \"b\""),
            ("--config a --once=yes", "unexpected argument for option '--once': \"yes\""),
            ("--config a --config b", "--config is said twice"),
            ("--config=", "--config has an empty path"),
            ("--config a --root= --once", "--root has an empty path"),
            ("--config a --json", "--json goes with --once only"),
            ("--config a --once --check-config", "--check-config does not go with --once"),
        ] {
            let error = said(words).unwrap_err();
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            assert_eq!(cause.unwrap_or_else(|| error.to_string()), what, "{words}");
        }
    }
}
