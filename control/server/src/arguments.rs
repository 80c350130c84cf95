//! What the program is told on its command line.
//!
//! **Invariant:** everything else is told by the settings file.

use std::path::PathBuf;

use bowline_model::duration::Span;
use bowline_model::name::Name;
use clap::{Args, Parser, Subcommand};

/// Takes hosts' signed records, keeps them, and says where a commit is.
#[derive(Debug, Parser)]
#[command(name = "bowline-control", version, about, max_term_width = 100)]
pub struct Arguments {
    /// The settings file.
    #[arg(long, value_name = "FILE", global = true, default_value = "/etc/bowline/control.toml")]
    pub config: PathBuf,
    /// What to do; serves when it is left out.
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

/// What to do instead of serving. Each may run while the service does.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Makes tokens by which hosts enrol.
    #[command(subcommand)]
    Token(TokenVerb),
    /// Decides about hosts, and about keys that wait for a person.
    #[command(subcommand)]
    Host(HostVerb),
}

/// About tokens.
#[derive(Debug, Subcommand)]
pub enum TokenVerb {
    /// Prints a token that counts once, for one host.
    New {
        /// The host's name.
        #[arg(long, value_name = "NAME")]
        host: Name,
        /// How long it counts; at most 24h.
        #[arg(long = "for", value_name = "SPAN", default_value = "1h")]
        span: Span,
    },
}

/// About hosts.
#[derive(Debug, Subcommand)]
pub enum HostVerb {
    /// Lets a key that waits take the place of the host's key.
    Approve(KeyOf),
    /// Turns a key that waits away.
    Refuse(KeyOf),
    /// Takes no records of a host any more, and counts it no longer; what it said stays.
    Retire {
        /// The host's name.
        name: Name,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
    /// Lets a host's records go on over a gap: those before SEQ are lost, and you say so.
    Continue {
        /// The host's name.
        name: Name,
        /// The sequence of the oldest record that the host still has.
        #[arg(long, value_name = "SEQ")]
        from: u64,
        /// How they were lost.
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
    /// Keeps that you looked after a host's gaps and forks; they stay on its page, with your note.
    Acknowledge {
        /// The host's name.
        name: Name,
        /// The number of the newest one that you saw, as the host's page shows it: later ones stay open.
        #[arg(long, value_name = "NUMBER")]
        seen: u64,
        /// What you found.
        #[arg(long, value_name = "TEXT")]
        note: String,
    },
}

/// A key of a host.
#[derive(Debug, Args)]
pub struct KeyOf {
    /// The host's name.
    pub name: Name,
    /// The key's fingerprint: `SHA256:…`, as the host itself shows it.
    pub fingerprint: String,
}
