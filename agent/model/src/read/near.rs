//! Finds the word that someone most likely meant.
//!
//! **Invariant:** a guess is only ever shown, never acted on.

/// Longest word that is compared, so that the table stays small.
const MAX_LENGTH: usize = 64;

/// The known word nearest to `word`, when it is near enough to be a slip.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    if length > MAX_LENGTH {
        return None;
    }
    // One slip in a short word, two in a longer one: more would suggest unrelated words.
    let allowed = if length < 5 { 1 } else { 2 };
    let lower = word.to_lowercase();
    known
        .into_iter()
        .map(|it| (distance(&lower, &it.to_lowercase()), it))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, it)| it)
}

/// How many letters must be changed, added, dropped or swapped with their neighbour.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().take(MAX_LENGTH + 1).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    let mut last = None;
    for (index, letter) in one.chars().enumerate() {
        let mut next = vec![index + 1];
        for (column, there) in other.iter().enumerate() {
            let cell =
                |cells: &[usize], at: usize| cells.get(at).copied().unwrap_or(usize::MAX / 2);
            let mut best = (cell(&row, column) + usize::from(letter != *there))
                .min(cell(&row, column + 1) + 1)
                .min(cell(&next, column) + 1);
            let swapped = column.checked_sub(1).and_then(|it| other.get(it)) == Some(&letter);
            if swapped && last == Some(*there) {
                best = best.min(cell(&before, column - 1) + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
        last = Some(letter);
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        let known = ["path", "content", "contentFrom", "owner", "mode"];
        let table = [
            ("pth", Some("path")),
            ("Path", Some("path")),
            ("conent", Some("content")),
            ("contentfrom", Some("contentFrom")),
            ("onwer", Some("owner")),
            ("recurse", None),
            ("x", None),
        ];
        for (word, meant) in table {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
    }
}
