//! What gates say, as a table: for a terminal, or in Markdown.
//!
//! **Invariant:** each gate has its line, met or not; why one is not met stands below the table.
//! **Invariant:** in Markdown nothing that a statement or a policy says is more than text.

use bowline_trust::GateVerdict;
use bowline_trust::verdict::Code;

use crate::failure::Failure;
use crate::screen::Screen;

/// What the columns hold.
const HEAD: [&str; 6] = ["gate", "says", "measured", "limit", "signed by", "at"];

/// Shows what gates say; nothing where there are none.
pub(crate) fn show(gates: &[GateVerdict], screen: &mut Screen<'_>) -> Result<(), Failure> {
    if gates.is_empty() {
        return Ok(());
    }
    let rows: Vec<[String; 6]> =
        [HEAD.map(str::to_owned)].into_iter().chain(gates.iter().map(row)).collect();
    let mut widths = [0; 6];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    screen.line("")?;
    for row in &rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        screen.line(cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    for gate in gates.iter().filter(|it| !it.met) {
        screen.line(format_args!("{}: {}", gate.id, why(gate)))?;
    }
    Ok(())
}

/// Shows what gates say as a table in Markdown; nothing where there are none.
pub(crate) fn comment(gates: &[GateVerdict], screen: &mut Screen<'_>) -> Result<(), Failure> {
    if gates.is_empty() {
        return Ok(());
    }
    screen.line("")?;
    screen.line(format_args!("| {} |", HEAD.join(" | ")))?;
    screen.line("|---|---|---|---|---|---|")?;
    for gate in gates {
        screen.line(format_args!("| {} |", row(gate).map(|it| escape(&it)).join(" | ")))?;
    }
    let closed: Vec<_> = gates.iter().filter(|it| !it.met).collect();
    if !closed.is_empty() {
        screen.line("")?;
    }
    for gate in closed {
        screen.line(format_args!("- {}: {}", escape(&gate.id), escape(&why(gate))))?;
    }
    Ok(())
}

/// Why a gate is not met, and who had it skipped if anybody had.
fn why(gate: &GateVerdict) -> String {
    match &gate.skipped {
        None => gate.detail.clone(),
        Some(it) => {
            format!(
                "skipped in an emergency by {} ({}): {}",
                it.by.join(", "),
                it.reason,
                gate.detail
            )
        }
    }
}

/// A text that means nothing in Markdown: no markup, no link, nobody's name.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '!' | '~' => {
                escaped.extend(['\\', letter]);
            }
            '<' => escaped.push_str("&lt;"),
            '&' => escaped.push_str("&amp;"),
            // A forge tells whoever is named so.
            '@' => escaped.push_str("&#64;"),
            // It would make an address a link.
            ':' => escaped.push_str("&#58;"),
            '\n' | '\r' => escaped.push(' '),
            _ => escaped.push(letter),
        }
    }
    escaped
}

fn row(gate: &GateVerdict) -> [String; 6] {
    let or_dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    [
        gate.id.clone(),
        match (&gate.skipped, gate.code) {
            (Some(_), _) => "skipped".to_owned(),
            (None, code) => code.map_or("met", Code::as_str).to_owned(),
        },
        or_dash(gate.measured.clone().unwrap_or_default()),
        gate.limit.clone(),
        or_dash(gate.signers.join(", ")),
        or_dash(gate.at.map(|it| it.to_string()).unwrap_or_default()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_said_is_markup() {
        for (text, expected) in [
            ("79.9 is below 80", "79.9 is below 80"),
            ("LINE_COVERAGE", "LINE\\_COVERAGE"),
            ("a | b", "a \\| b"),
            ("@alice", "&#64;alice"),
            ("[x](y) `z`", "\\[x\\](y) \\`z\\`"),
            ("<img>&lt;", "&lt;img>&amp;lt;"),
            ("https://x", "https&#58;//x"),
            ("one\ntwo", "one two"),
        ] {
            assert_eq!(escape(text), expected);
        }
    }
}
