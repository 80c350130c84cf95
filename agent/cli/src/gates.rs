//! What gates say, as a table.
//!
//! **Invariant:** each gate has its line, met or not; why one is not met stands below the table.

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
        screen.line(format_args!("{}: {}", gate.id, gate.detail))?;
    }
    Ok(())
}

fn row(gate: &GateVerdict) -> [String; 6] {
    let or_dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    [
        gate.id.clone(),
        gate.code.map_or("met", Code::as_str).to_owned(),
        or_dash(gate.measured.clone().unwrap_or_default()),
        gate.limit.clone(),
        or_dash(gate.signers.join(", ")),
        or_dash(gate.at.map(|it| it.to_string()).unwrap_or_default()),
    ]
}
