//! The manuals' own commands: what a new user types is what the lab runs.
//!
//! **Invariant:** nothing is added to a command, and none is left out.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::host::Host;

/// Where a block lies on the host while it is run.
const TYPED: &str = "/typed";

/// Who types a block of commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Typist {
    /// Somebody with an account: the prompt is `$`.
    User,
    /// Root: the prompt is `#`.
    Root,
}

/// Commands that are typed one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Block {
    /// By whom.
    typist: Typist,
    /// As a shell's script.
    script: String,
}

/// Types the commands of one section of a manual on a host, in the clone's folder; gives how many blocks there
/// were.
pub(crate) fn follow(host: &Host, manual: &str, heading: &str) -> Result<usize> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(manual);
    let text = fs::read_to_string(&path).with_context(|| format!("read {manual}"))?;
    let blocks = blocks_of(&text, heading);
    if blocks.is_empty() {
        bail!("{manual} has no commands below `## {heading}`");
    }
    for block in &blocks {
        let script = format!("set -eu\ncd /home/me/bowline\n{}\n", block.script);
        fs::write(host.on_disk(TYPED), script)?;
        let shell = match block.typist {
            Typist::Root => format!("sh {TYPED}"),
            Typist::User => format!("runuser -u me -- sh {TYPED}"),
        };
        host.run(&shell).with_context(|| format!("type what {manual} says: {}", block.script))?;
    }
    Ok(blocks.len())
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
