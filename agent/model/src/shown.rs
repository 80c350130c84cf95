//! Text that somebody else wrote, made fit for one line of a screen.
//!
//! **Invariant:** what comes out has no character that moves, hides or turns what stands beside it.

/// The text's first line with at most so many characters.
pub fn one_line(text: &str, most: usize) -> String {
    let line = text.trim_start().lines().next().unwrap_or_default();
    line.chars().filter(|it| is_plain(*it)).take(most).collect::<String>().trim_end().to_owned()
}

/// The text without such characters; its lines stay lines.
pub fn plain(text: &str) -> String {
    text.chars().filter(|it| *it == '\n' || is_plain(*it)).collect()
}

/// Control characters, and those that turn the direction of writing, join or hide: with them a text
/// reads as another than it is.
fn is_plain(it: char) -> bool {
    !it.is_control()
        && !matches!(it,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stay_lines() {
        assert_eq!(plain("one\r\n\ttwo\u{202e}\u{1b}[0m\n"), "one\ntwo[0m\n");
    }

    #[test]
    fn a_text_becomes_one_plain_line() {
        let cases = [
            ("fix: a thing\n\nbecause", "fix: a thing"),
            ("\n\n  late start  \n", "late start"),
            ("red \u{1b}[31malert\u{7}", "red [31malert"),
            ("user\u{202e}txt.exe", "usertxt.exe"),
            ("zero\u{200b}width\u{feff}", "zerowidth"),
            ("<script>alert(1)</script>", "<script>alert(1)</scr"),
            ("grüße, 世界", "grüße, 世界"),
            ("\r\n\t", ""),
            ("", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(one_line(text, 21), expected, "{text:?}");
        }
    }
}
