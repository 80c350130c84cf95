//! Where words go: data to stdout, the rest to stderr.
//!
//! **Invariant:** a failure is told once, its causes in order, its hints last.
//! **Invariant:** what came from elsewhere cannot steer a terminal: control characters are shown, not
//! sent.

use std::fmt::Display;
use std::io::Write;

use serde::Serialize;

use crate::failure::Failure;

/// Causes of one error; more are a circle.
const CAUSES_MAX: usize = 16;

/// Where words go.
pub struct Screen<'a> {
    stdout: &'a mut dyn Write,
    stderr: &'a mut dyn Write,
}

impl std::fmt::Debug for Screen<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Screen")
    }
}

impl<'a> Screen<'a> {
    /// A screen made of two streams.
    pub fn new(stdout: &'a mut dyn Write, stderr: &'a mut dyn Write) -> Self {
        Self { stdout, stderr }
    }

    /// A line of data.
    pub fn line(&mut self, text: impl Display) -> Result<(), Failure> {
        Ok(writeln!(self.stdout, "{}", plain(&text.to_string()))?)
    }

    /// Data as one line of JSON.
    pub fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string(value).map_err(Failure::failed)?;
        Ok(writeln!(self.stdout, "{text}")?)
    }

    /// Data as JSON that people read.
    pub fn pretty_json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value).map_err(Failure::failed)?;
        Ok(writeln!(self.stdout, "{text}")?)
    }

    /// A text of this program's own, as it is.
    pub fn text(&mut self, text: &[u8]) -> Result<(), Failure> {
        Ok(self.stdout.write_all(text)?)
    }

    /// Lines of name and value, the values aligned; lines without a value are left out.
    pub fn table(&mut self, rows: &[(&str, String)]) -> Result<(), Failure> {
        let rows: Vec<_> = rows.iter().filter(|(_, value)| !value.is_empty()).collect();
        let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        for (name, value) in rows {
            self.line(format_args!("{name:<width$}  {value}"))?;
        }
        Ok(())
    }

    /// A line for people, beside the data.
    pub fn note(&mut self, text: impl Display) -> Result<(), Failure> {
        Ok(writeln!(self.stderr, "{}", plain(&text.to_string()))?)
    }

    /// What the argument parser has to say: help to stdout, mistakes to stderr.
    pub(crate) fn usage(&mut self, usage: &clap::Error) -> Result<u8, Failure> {
        let text = usage.render().to_string();
        if usage.use_stderr() {
            write!(self.stderr, "{text}")?;
        } else {
            write!(self.stdout, "{text}")?;
        }
        Ok(u8::try_from(usage.exit_code()).unwrap_or(2))
    }

    /// Tells why a verb failed.
    pub(crate) fn failure(&mut self, failure: &Failure) {
        if !failure.is_heard() {
            return;
        }
        let mut lines = vec![format!("error: {}", failure.error)];
        let causes = failure.error.chain().skip(1).take(CAUSES_MAX);
        lines.extend(causes.map(|cause| format!("caused by: {cause}")));
        lines.extend(failure.hints.iter().map(|hint| format!("hint: {hint}")));
        for line in lines {
            // Without stderr there is nowhere left to complain.
            self.note(line).unwrap_or(());
        }
    }

    /// Sends what is still held back.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.stdout.flush()?)
    }
}

/// The text with control characters written out; line feeds and tabs stay.
fn plain(text: &str) -> String {
    if !text.contains(|it: char| it.is_control() && it != '\n' && it != '\t') {
        return text.to_owned();
    }
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() && letter != '\n' && letter != '\t' {
            shown.extend(letter.escape_default());
        } else {
            shown.push(letter);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    fn told(tell: impl FnOnce(&mut Screen<'_>)) -> (String, String) {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        tell(&mut Screen::new(&mut stdout, &mut stderr));
        (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
    }

    #[test]
    fn a_failure_names_its_causes_in_order_and_its_hints_last() {
        let error = anyhow!("inner").context("middle").context("outer");
        let failure = Failure::failed(error).hint("do this").hint("").hint("or that");
        let (stdout, stderr) = told(|it| it.failure(&failure));
        assert_eq!(stdout, "");
        assert_eq!(
            stderr,
            "error: outer\ncaused by: middle\ncaused by: inner\nhint: do this\nhint: or that\n"
        );
    }

    #[test]
    fn values_are_aligned_and_empty_ones_left_out() {
        let rows = [("a", "1".to_owned()), ("bcd", "2".to_owned()), ("empty", String::new())];
        let (stdout, _) = told(|it| it.table(&rows).unwrap());
        assert_eq!(stdout, "a    1\nbcd  2\n");
    }

    #[test]
    fn a_stranger_cannot_steer_the_terminal() {
        let (stdout, _) = told(|it| it.line("red \u{1b}[31m\r\u{9b}x\n\tend").unwrap());
        assert_eq!(stdout, "red \\u{1b}[31m\\r\\u{9b}x\n\tend\n");
    }
}
