//! Bytes and texts as a stranger would bend them.
//!
//! **Invariant:** every place of the original is reached, whatever stands there.

/// Every place with a bit turned, a byte taken out, one put in, cut off there, or followed by more.
pub(crate) fn bent(bytes: &[u8]) -> impl Iterator<Item = (String, Vec<u8>)> + '_ {
    let places = (0..bytes.len()).flat_map(|place| {
        let with = |byte: u8| {
            let mut turned = bytes.to_vec();
            turned[place] = byte;
            turned
        };
        let (before, after) = bytes.split_at(place);
        let byte = bytes[place];
        [
            (format!("the last bit of byte {place} turned"), with(byte ^ 1)),
            (format!("the first bit of byte {place} turned"), with(byte ^ 0x80)),
            (format!("byte {place} one more"), with(byte.wrapping_add(1))),
            (format!("byte {place} is zero"), with(0)),
            (format!("without byte {place}"), [before, &after[1..]].concat()),
            (format!("a zero before byte {place}"), [before, &[0], after].concat()),
            (format!("cut off at byte {place}"), before.to_vec()),
        ]
    });
    places.chain([
        ("a zero behind it".to_owned(), [bytes, &[0]].concat()),
        ("twice".to_owned(), [bytes, bytes].concat()),
    ])
}

/// An armour as it might also be written.
pub(crate) fn armours(text: &str) -> Vec<(&'static str, String)> {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let (first, last) = (lines[0], lines[lines.len() - 1]);
    let body = &lines[1..lines.len() - 1];
    let letters: String = body.concat();
    let wide = |width: usize| {
        let rows: Vec<&str> =
            letters.as_bytes().chunks(width).map(|it| std::str::from_utf8(it).unwrap()).collect();
        format!("{first}\n{}\n{last}\n", rows.join("\n"))
    };
    let middle = body.len() / 2;
    let [before, after] = [&body[..middle], &body[middle..]].map(|it| it.join("\n"));
    let split = |between: &str| format!("{first}\n{before}{between}{after}\n{last}\n");
    vec![
        ("as it is", text.to_owned()),
        ("carriage returns", text.replace('\n', "\r\n")),
        ("one carriage return", text.replacen('\n', "\r\n", 1)),
        ("old line ends", text.replace('\n', "\r")),
        ("no last line end", text.trim_end().to_owned()),
        ("an empty line behind", format!("{text}\n")),
        ("an empty line before", format!("\n{text}")),
        ("a word before", format!("x\n{text}")),
        ("a word behind", format!("{text}x\n")),
        ("a space behind", format!("{text} ")),
        ("twice", format!("{text}{text}")),
        ("one line", wide(letters.len())),
        ("64 letters a line", wide(64)),
        ("76 letters a line", wide(76)),
        ("one letter a line", wide(1)),
        ("an empty line within", split("\n\n")),
        ("a space within", split("\n ")),
        ("a space at a line's end", split(" \n")),
        ("a tab within", split("\n\t")),
        ("NUL within", split("\n\0")),
        ("a foreign letter", split("\n-")),
        ("a header", format!("{first}\nComment: hello\n\n{}", text.split_once('\n').unwrap().1)),
        ("a dash too few", text.replacen("-----", "----", 1)),
        ("other words", text.replace("SIGNATURE", "MESSAGE")),
        ("small letters", text.replace("BEGIN", "begin")),
        ("no BEGIN", text.replacen(first, "", 1)),
        ("no END", text.replace(last, "")),
        ("END in the last line", text.replace(&format!("\n{last}"), last)),
        ("more padding", text.replace(&format!("\n{last}"), &format!("=\n{last}"))),
        ("no padding", split("\n").replace('=', "")),
        ("nothing", String::new()),
        ("no letters", format!("{first}\n{last}\n")),
    ]
}
