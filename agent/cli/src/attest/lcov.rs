//! LCOV tracefiles, as geninfo, llvm-cov, grcov, c8 and coverage.py write them.
//!
//! **Invariant:** a line counts once, however many of the file's records name it.
//! **Invariant:** a record that is not ended makes the file no report: it was cut off.

use std::collections::BTreeMap;

use super::coverage::Counts;
use super::ratio::Ratio;
use super::report::BadReport;

/// Reads one tracefile.
pub(super) fn read(text: &str) -> Result<Counts, BadReport> {
    let mut reading = Reading::default();
    for (number, line) in text.lines().enumerate() {
        reading.see(line.trim()).map_err(|why| BadReport::At { line: number + 1, why })?;
    }
    if reading.record.is_some() {
        return Err(BadReport::whole("its last record has no end_of_record"));
    }
    Ok(reading.sum())
}

/// A tracefile in reading.
#[derive(Default)]
struct Reading {
    record: Option<Record>,
    files: BTreeMap<String, File>,
}

/// One record in reading.
#[derive(Default)]
struct Record {
    file: String,
    lines: BTreeMap<u64, bool>,
    branches: BTreeMap<String, bool>,
    told_lines: (Option<u64>, Option<u64>),
    told_branches: (Option<u64>, Option<u64>),
}

/// What all records say of one file.
#[derive(Default)]
struct File {
    lines: BTreeMap<u64, bool>,
    branches: BTreeMap<String, bool>,
    /// Counts of records that name no lines, or no branches.
    told_lines: Ratio,
    told_branches: Ratio,
    knows_branches: bool,
}

impl Reading {
    fn see(&mut self, line: &str) -> Result<(), String> {
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        if line == "end_of_record" {
            let record = self.record.take().ok_or("end_of_record stands outside of a record")?;
            return self.end(record);
        }
        let (word, rest) = line.split_once(':').ok_or("this is no line of a tracefile")?;
        match (word, &mut self.record) {
            ("TN" | "VER", _) => Ok(()),
            ("SF", None) => {
                self.record = Some(Record { file: rest.to_owned(), ..Record::default() });
                Ok(())
            }
            ("SF", Some(_)) => Err("the record before this one has no end_of_record".to_owned()),
            (_, Some(record)) => record.see(word, rest),
            (_, None) => Err("this is no line of a tracefile".to_owned()),
        }
    }

    fn end(&mut self, record: Record) -> Result<(), String> {
        let file = self.files.entry(record.file).or_default();
        if record.lines.is_empty() {
            file.told_lines = file.told_lines.plus(told(record.told_lines, "LH and LF")?);
        }
        if record.branches.is_empty() {
            let told = told(record.told_branches, "BRH and BRF")?;
            file.told_branches = file.told_branches.plus(told);
        }
        file.knows_branches |= !record.branches.is_empty() || record.told_branches.1.is_some();
        join(&mut file.lines, record.lines);
        join(&mut file.branches, record.branches);
        Ok(())
    }

    fn sum(self) -> Counts {
        let (mut lines, mut branches) = (Ratio::default(), None);
        for file in self.files.into_values() {
            lines = lines.plus(file.told_lines).plus(reached(&file.lines));
            if file.knows_branches {
                let more = file.told_branches.plus(reached(&file.branches));
                branches = Some(branches.unwrap_or(Ratio::default()).plus(more));
            }
        }
        Counts { lines, branches }
    }
}

impl Record {
    fn see(&mut self, word: &str, rest: &str) -> Result<(), String> {
        let number = |it: &str| it.trim().parse::<u64>().map_err(|_| format!("{it:?} is no count"));
        match word {
            "DA" => {
                let mut parts = rest.split(',');
                let line = number(parts.next().unwrap_or_default())?;
                let hits = number(parts.next().ok_or("DA has no count of hits")?)?;
                *self.lines.entry(line).or_default() |= hits > 0;
            }
            "BRDA" => {
                let (place, taken) = rest.rsplit_once(',').ok_or("BRDA has no count of hits")?;
                // A dash: the line was never reached.
                let is_taken = taken != "-" && number(taken)? > 0;
                *self.branches.entry(place.to_owned()).or_default() |= is_taken;
            }
            "LH" => self.told_lines.0 = Some(number(rest)?),
            "LF" => self.told_lines.1 = Some(number(rest)?),
            "BRH" => self.told_branches.0 = Some(number(rest)?),
            "BRF" => self.told_branches.1 = Some(number(rest)?),
            _ => {}
        }
        Ok(())
    }
}

/// Counts that a record tells, where it tells both or neither.
fn told(counts: (Option<u64>, Option<u64>), names: &str) -> Result<Ratio, String> {
    match counts {
        (None, None) => Ok(Ratio::default()),
        (Some(covered), Some(total)) if covered <= total => Ok(Ratio { covered, total }),
        _ => Err(format!("{names} of this record do not fit each other")),
    }
}

fn join<K: Ord>(into: &mut BTreeMap<K, bool>, more: BTreeMap<K, bool>) {
    for (key, is_reached) in more {
        *into.entry(key).or_default() |= is_reached;
    }
}

fn reached<K>(places: &BTreeMap<K, bool>) -> Ratio {
    let count = |it: usize| u64::try_from(it).unwrap_or(u64::MAX);
    let covered = places.values().filter(|it| **it).count();
    Ratio { covered: count(covered), total: count(places.len()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As coverage.py 7 writes it.
    const COVERAGE_PY: &str = "SF:app.py\nDA:1,1\nDA:2,1\nDA:3,1\nDA:4,0\nDA:5,1\nDA:6,0\nLF:6\nLH:4\n\
        FN:1,4,f\nFNDA:1,f\nFNF:2\nFNH:1\nBRDA:2,0,jump to line 3,1\nBRDA:2,0,jump to line 4,0\nBRF:2\n\
        BRH:1\nend_of_record\n";

    #[test]
    fn lines_and_branches_are_counted_once_for_each_file() {
        let (one, two) = ((4, 6), Some((1, 2)));
        let twice = format!("{COVERAGE_PY}{}", COVERAGE_PY.replace("DA:4,0", "DA:4,7"));
        for (text, lines, branches) in [
            (COVERAGE_PY, one, two),
            (&*twice, (5, 6), two),
            (
                "TN:t\nSF:a\nLH:1\nLF:3\nend_of_record\nSF:b\nDA:1,0,Zm9v\nend_of_record",
                (1, 4),
                None,
            ),
            ("SF:a\nBRDA:1,0,0,-\nBRDA:1,0,1,3\nDA:1,1\nend_of_record\n", (1, 1), two),
        ] {
            let found = read(text).unwrap();
            let pair = |it: Ratio| (it.covered, it.total);
            assert_eq!((pair(found.lines), found.branches.map(pair)), (lines, branches), "{text}");
        }
    }

    #[test]
    fn what_was_cut_off_or_is_something_else_is_refused_with_its_line() {
        for (text, part) in [
            ("SF:a\nDA:1,1\n", "no end_of_record"),
            ("SF:a\nSF:b\n", "line 2: the record before"),
            ("SF:a\nDA:1,x\nend_of_record", "line 2: \"x\" is no count"),
            ("SF:a\nDA:1\nend_of_record", "line 2: DA has no count"),
            ("SF:a\nLH:4\nLF:3\nend_of_record", "line 4: LH and LF"),
            ("SF:a\nLF:3\nend_of_record", "line 3: LH and LF"),
            ("DA:1,1\n", "line 1: this is no line"),
            ("hello", "line 1: this is no line"),
            ("end_of_record", "line 1: end_of_record"),
        ] {
            let said = read(text).map(|_| ()).unwrap_err().to_string();
            assert!(said.contains(part), "{text}: {said}");
        }
    }
}
