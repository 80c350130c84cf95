//! How the demo speaks: numbered chapters, facts, what was checked.
//!
//! **Invariant:** at most a hundred columns; colours on a terminal only, and not with `NO_COLOR`.

use std::io::{IsTerminal as _, Write as _, stdout};

/// Columns of a line.
const COLUMNS: usize = 96;

/// Columns of a fact's label.
const LABEL: usize = 14;

/// A way to write, as the terminal's own number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ink {
    Bold = 1,
    Faint = 2,
    Red = 31,
    Green = 32,
    Cyan = 36,
}

/// The teller.
#[derive(Debug)]
pub(crate) struct Story {
    colours: bool,
    columns: usize,
}

impl Story {
    /// Looks at where it is told.
    pub(crate) fn begin() -> Self {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|it| !it.is_empty());
        Self { colours: stdout().is_terminal() && !no_color, columns: COLUMNS }
    }

    fn in_ink(&self, ink: Ink, text: &str) -> String {
        if self.colours { format!("\u{1b}[{}m{text}\u{1b}[0m", ink as u8) } else { text.to_owned() }
    }

    /// Begins a chapter.
    pub(crate) fn chapter(&self, number: u8, title: &str) {
        println!("\n{}", self.in_ink(Ink::Bold, &format!("{number}. {title}")));
    }

    /// Tells something.
    pub(crate) fn say(&self, text: &str) {
        for line in wrapped(text, self.columns - 3) {
            println!("   {line}");
        }
    }

    /// Shows a command that is run.
    pub(crate) fn command(&self, text: &str) {
        println!("   {}", self.in_ink(Ink::Cyan, &format!("$ {text}")));
    }

    /// Shows what a program said, each line as far as it fits.
    pub(crate) fn output(&self, text: &str) {
        for line in text.lines() {
            println!("     {}", self.in_ink(Ink::Faint, &cut(line.trim_end(), self.columns - 5)));
        }
    }

    /// Tells a fact.
    pub(crate) fn fact(&self, label: &str, text: &str) {
        let mut label = format!("{label:LABEL$}");
        for line in wrapped(text, self.columns - 3 - LABEL) {
            println!("   {}{line}", self.in_ink(Ink::Faint, &label));
            label = " ".repeat(LABEL);
        }
    }

    /// Tells what was checked, and holds.
    pub(crate) fn holds(&self, text: &str) {
        let mut mark = "✔";
        for line in wrapped(text, self.columns - 5) {
            println!("   {} {line}", self.in_ink(Ink::Green, mark));
            mark = " ";
        }
    }

    /// Begins a line of the pipeline with its first word.
    pub(crate) fn first_word(&self, word: &str) {
        write(&format!("   {}", self.in_ink(Ink::Cyan, word)));
    }

    /// Adds a word of the pipeline to the line that is being written.
    pub(crate) fn next_word(&self, word: &str) {
        write(&format!("{}{}", self.in_ink(Ink::Faint, " › "), self.in_ink(Ink::Cyan, word)));
    }

    /// Ends that line, with how it ended.
    pub(crate) fn end_of_course(&self, text: &str) {
        println!(" {} {}", self.in_ink(Ink::Faint, "─"), self.in_ink(Ink::Bold, text));
    }

    /// Shows what might explain a failure.
    pub(crate) fn complain(&self, last_words: &str) {
        println!(
            "\n{}",
            self.in_ink(Ink::Red, "it did not end as it must; the agent's last words:")
        );
        self.output(last_words);
    }
}

/// Writes a part of a line, for whoever watches.
fn write(text: &str) {
    print!("{text}");
    // A word that cannot be shown now is shown with the next line.
    drop(stdout().flush());
}

/// The beginning of a line that is too long.
fn cut(line: &str, columns: usize) -> String {
    if line.chars().count() <= columns {
        return line.to_owned();
    }
    line.chars().take(columns - 1).chain(['…']).collect()
}

/// A text in lines of at most so many letters; a longer word has a line of its own.
fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let indent: String = text.chars().take_while(|it| *it == ' ').collect();
    let mut lines = Vec::new();
    let mut line = indent.clone();
    for word in text.trim_start().split(' ') {
        let is_begun = line.len() > indent.len();
        if is_begun && line.chars().count() + 1 + word.chars().count() > columns {
            lines.push(std::mem::replace(&mut line, indent.clone()));
        } else if is_begun {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_says_so() {
        for (line, expected) in [("12345678", "12345678"), ("123456789", "1234567…"), ("", "")] {
            assert_eq!(cut(line, 8), expected);
        }
    }

    #[test]
    fn lines_end_between_words() {
        for (text, expected) in [
            ("one two three", &["one two", "three"][..]),
            ("  a  b", &["  a  b"]),
            ("unbreakable it is", &["unbreakable", "it is"]),
            ("", &[""]),
        ] {
            assert_eq!(wrapped(text, 8), expected, "{text:?}");
        }
    }
}
