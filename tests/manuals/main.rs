//! `cargo manuals -- DIR`: man pages and shell completions of all three programs, for packages.
//!
//! **Invariant:** they are made of the programs' own arguments; nobody writes them by hand.
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a command for packagers")]

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use bowline_agent::arguments::{ABOUT, CHOICES, NAME};
use clap::{Arg, ArgAction, Command, CommandFactory as _};
use clap_complete::{Shell, generate_to};

/// Where packages expect each shell's completions, below the prefix.
const SHELLS: [(Shell, &str); 3] = [
    (Shell::Bash, "share/bash-completion/completions"),
    (Shell::Zsh, "share/zsh/site-functions"),
    (Shell::Fish, "share/fish/vendor_completions.d"),
];

fn main() -> anyhow::Result<()> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let folder = folder.context("name the folder to write to: cargo manuals -- DIR")?;
    let programs: [Command; 3] = [
        bowline_cli::arguments::Arguments::command(),
        agent(),
        bowline_control::arguments::Arguments::command(),
    ];
    let manuals = folder.join("share/man/man1");
    fs::create_dir_all(&manuals).with_context(|| format!("make {}", manuals.display()))?;
    for mut program in programs {
        let name = program.get_name().to_owned();
        for (shell, below) in SHELLS {
            let place = folder.join(below);
            fs::create_dir_all(&place).with_context(|| format!("make {}", place.display()))?;
            let written = generate_to(shell, &mut program, &name, &place)?;
            println!("{}", written.display());
        }
        clap_mangen::generate_to(program, &manuals)
            .with_context(|| format!("write the manual of {name}"))?;
    }
    let mut pages: Vec<_> = fs::read_dir(&manuals)?.collect::<Result<_, _>>()?;
    pages.sort_by_key(fs::DirEntry::file_name);
    for page in pages {
        println!("{}", page.path().display());
    }
    Ok(())
}

/// The agent's own table, as this command's library has it.
fn agent() -> Command {
    let own = CHOICES.iter().filter(|it| it.letter.is_none()).map(|it| {
        let plain = Arg::new(it.name).long(it.name).help(it.help);
        match it.value {
            Some(value) => plain.value_name(value).required(it.name == "config"),
            None => plain.action(ArgAction::SetTrue),
        }
    });
    Command::new(NAME).version(env!("CARGO_PKG_VERSION")).about(ABOUT).args(own)
}
