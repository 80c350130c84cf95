//! The README's own commands: what a new user types is what the lab runs.
//!
//! **Invariant:** nothing is added to a command, and none is left out.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

/// Who types a block of commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Typist {
    /// Somebody with an account: the prompt is `$`.
    User,
    /// Root: the prompt is `#`.
    Root,
}

/// Commands that are typed one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    /// By whom.
    pub(crate) typist: Typist,
    /// As a shell's script.
    pub(crate) script: String,
}

/// The blocks of one section of the README.
pub(crate) fn blocks(heading: &str) -> Result<Vec<Block>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let text = std::fs::read_to_string(&path).context("read README.md")?;
    let found = blocks_of(&text, heading);
    if found.is_empty() {
        bail!("README.md has no commands below `## {heading}`");
    }
    Ok(found)
}

fn blocks_of(text: &str, heading: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Vec<&str>> = None;
    let mut is_there = false;
    for line in text.lines() {
        if let Some(lines) = &mut open {
            if line == "```" {
                found.extend(block_of(lines));
                open = None;
            } else {
                lines.push(line);
            }
        } else if let Some(title) = line.strip_prefix("## ") {
            is_there = title == heading;
        } else if is_there && line == "```console" {
            open = Some(Vec::new());
        }
    }
    found
}

/// Takes the prompts off. Lines without one are what the command before reads.
fn block_of(lines: &[&str]) -> Option<Block> {
    let (typist, prompt) = match lines.first()?.get(..2)? {
        "$ " => (Typist::User, "$ "),
        "# " => (Typist::Root, "# "),
        _ => return None,
    };
    let typed: Vec<_> = lines.iter().map(|it| it.strip_prefix(prompt).unwrap_or(it)).collect();
    Some(Block { typist, script: typed.join("\n") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_what_stands_behind_its_prompts() {
        let text = "## One\n```console\n$ a\n```\n## Two\nwords\n```console\n# cat > f <<X\nline # 1\nX\n# b\n```\n\
                    ```yaml\nno: command\n```\n```console\n$ c\n```\n";
        let block = |typist, script: &str| Block { typist, script: script.to_owned() };
        assert_eq!(
            blocks_of(text, "Two"),
            [block(Typist::Root, "cat > f <<X\nline # 1\nX\nb"), block(Typist::User, "c")]
        );
        assert_eq!(blocks_of(text, "Three"), []);
    }
}
