//! `bowline attest`: evidence that CI makes of what its tools reported.
//!
//! **Invariant:** what a gate would refuse is not signed, so CI is the first gate.
//!
//! Readers of reports (`junit`, `cobertura`, `lcov`, `sarif`, `scan`) know nothing of policies; the verbs hold what they
//! found against a limit (`case`), and one place signs and hands over (`finding`, `deliver`).

pub mod arguments;
mod report;
mod xml;
mod junit;
mod cobertura;
mod lcov;
mod sarif;
mod scan;
mod ratio;
mod case;
mod bounds;
mod statement;
mod deliver;
mod finding;
mod test_result;
mod coverage;
mod lint;
mod vulnerabilities;
mod provenance;
mod summary;
mod record_lines;
mod receipts;

use crate::failure::Failure;
use crate::screen::Screen;
use arguments::Attest;

/// Makes evidence.
pub fn attest(verb: &Attest, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    match verb {
        Attest::Tests(given) => test_result::attest(given, screen),
        Attest::Coverage(given) => coverage::attest(given, screen),
        Attest::Lint(given) => lint::attest(given, screen),
        Attest::Vulns(given) => vulnerabilities::attest(given, screen),
        Attest::Provenance(given) => provenance::attest(given, screen),
        Attest::Summary(given) => summary::attest(given, screen),
        Attest::Receipts(given) => receipts::attest(given, screen),
    }
}
