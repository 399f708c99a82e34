//! Counting, and the place where the tasks' results meet.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use lockwork::Mutex;

/// Bytes read at a time.
const PIECE: usize = 64 * 1024;

pub(crate) const NAMES: [&str; 7] =
    ["files", "bytes", "lines", "words", "not UTF-8", "unreadable", "links, special files"];

/// What a file amounts to, or any number of files.
#[derive(Default)]
pub(crate) struct Tally {
    /// In the order of `NAMES`.
    pub(crate) numbers: [u64; 7],
    pub(crate) table: HashMap<Box<str>, u64>,
    /// The first ten in alphabetical order: the same ones whoever came first.
    pub(crate) problems: Vec<String>,
    /// A path that the user named could not be read.
    pub(crate) named_failed: bool,
}

impl Tally {
    pub(crate) fn unreadable(path: &Path, named_failed: bool, reason: &str) -> Self {
        let problems = vec![format!("cannot read {path:?}: {reason}")];
        Self { numbers: [0, 0, 0, 0, 0, 1, 0], problems, named_failed, ..Self::default() }
    }

    pub(crate) fn skipped() -> Self {
        Self { numbers: [0, 0, 0, 0, 0, 0, 1], ..Self::default() }
    }

    fn merge(&mut self, mut other: Self) {
        self.numbers = std::array::from_fn(|i| self.numbers[i] + other.numbers[i]);
        if self.table.len() < other.table.len() {
            std::mem::swap(&mut self.table, &mut other.table);
        }
        for (word, n) in other.table {
            *self.table.entry(word).or_default() += n;
        }
        self.problems.append(&mut other.problems);
        self.problems.sort();
        self.problems.truncate(10);
        self.named_failed |= other.named_failed;
    }
}

/// Sums in several slots, so that threads seldom wait for each other.
pub(crate) struct Stats(Vec<Mutex<Tally>>);

impl Stats {
    pub(crate) fn new(slots: usize) -> Self {
        Self((0..slots).map(|_| Mutex::default()).collect())
    }

    /// Adds to the first slot that nobody holds; so as many fill up as there are threads that meet.
    pub(crate) fn add(&self, tally: Tally) {
        let free = self.0.iter().find_map(Mutex::try_lock);
        free.unwrap_or_else(|| self.0[0].lock()).merge(tally);
    }

    pub(crate) fn finish(self) -> Tally {
        let mut sum = Tally::default();
        self.0.into_iter().for_each(|slot| sum.merge(slot.into_inner()));
        sum
    }
}

/// Counts one file; one that cannot be read to its end counts as unreadable.
pub(crate) fn count_file(path: &Path, named: bool) -> Tally {
    match File::open(path).and_then(count) {
        Ok((tally, None)) => tally,
        Ok((tally, Some(at))) => {
            let problem = format!("not UTF-8, words not counted: {path:?}, byte {at}");
            Tally { problems: vec![problem], ..tally }
        }
        Err(error) => Tally::unreadable(path, named, &error.to_string()),
    }
}

/// Counts `input`, and finds the place where it ceases to be UTF-8.
///
/// It is read in pieces that end at an ASCII character outside words, so that no word or character
/// is cut. Memory grows with the longest stretch that has none of these, not with the file.
fn count(mut input: impl Read) -> io::Result<(Tally, Option<u64>)> {
    let (mut bytes, mut lines, mut words, mut bad) = (0, 0, 0, None);
    let (mut table, mut piece) = (HashMap::new(), Vec::with_capacity(PIECE));
    loop {
        let held = piece.len();
        let last = input.by_ref().take(PIECE as u64).read_to_end(&mut piece)? < PIECE;
        let outside = |b: &u8| b.is_ascii() && !b.is_ascii_alphanumeric() && *b != b'\'';
        let end = match piece[held..].iter().rposition(outside) {
            _ if last || bad.is_some() => piece.len(),
            Some(at) => held + at + 1,
            None => continue,
        };
        match std::str::from_utf8(&piece[..end]) {
            _ if bad.is_some() => {}
            Ok(text) => words += count_words(text, &mut table),
            Err(error) => {
                bad = Some(bytes + error.valid_up_to() as u64);
                (words, table) = (0, HashMap::new());
            }
        }
        lines += piece[..end].iter().filter(|b| **b == b'\n').count() as u64;
        bytes += end as u64;
        piece.drain(..end);
        if last {
            let numbers = [1, bytes, lines, words, u64::from(bad.is_some()), 0, 0];
            return Ok((Tally { numbers, table, ..Tally::default() }, bad));
        }
    }
}

fn count_words(text: &str, table: &mut HashMap<Box<str>, u64>) -> u64 {
    let (mut words, mut lower) = (0, String::new());
    for run in text.split(|c: char| !c.is_alphanumeric() && !['\'', '’'].contains(&c)) {
        let word = run.trim_matches(['\'', '’']);
        if word.is_empty() {
            continue;
        }
        if word.is_ascii() {
            word.clone_into(&mut lower);
            lower.make_ascii_lowercase();
        } else {
            lower = word.to_lowercase().replace('’', "'");
        }
        words += 1;
        // Not `entry`: it would allocate a key for every word, not only for a new one.
        match table.get_mut(&*lower) {
            Some(n) => *n += 1,
            None => drop(table.insert(lower.as_str().into(), 1)),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_letters_and_digits_with_apostrophes_inside() {
        let text = "Don't 'quote' don’t 3.14 ÉTÉ été—naïve\n''\n&'a x_y";
        let (tally, bad) = count(text.as_bytes()).unwrap();
        assert_eq!((tally.numbers, bad), ([1, text.len() as u64, 2, 11, 0, 0, 0], None));
        let mut table: Vec<_> = tally.table.iter().map(|(word, n)| format!("{word} {n}")).collect();
        table.sort();
        assert_eq!(table.join(", "), "14 1, 3 1, a 1, don't 2, naïve 1, quote 1, x 1, y 1, été 2");
    }

    #[test]
    fn pieces_cut_neither_words_nor_characters() {
        let long = "é".repeat(PIECE); // two pieces without a place to cut
        for shift in 1..8 {
            let text = format!("{} {long} {}", "x".repeat(shift), "ab'c ".repeat(30_000));
            let (tally, bad) = count(text.as_bytes()).unwrap();
            assert_eq!((tally.numbers, bad), ([1, text.len() as u64, 0, 30_002, 0, 0, 0], None));
            assert_eq!((tally.table.len(), tally.table["ab'c"]), (3, 30_000));
        }
    }

    #[test]
    fn a_file_that_is_not_utf8_has_bytes_and_lines() {
        let mut text = b"word\n".repeat(40_000);
        text[150_002] = 0xff;
        let (tally, bad) = count(&*text).unwrap();
        assert_eq!((tally.numbers, bad), ([1, 200_000, 40_000, 0, 1, 0, 0], Some(150_002)));
        assert!(tally.table.is_empty());
        assert_eq!(count(&b"caf\xe9"[..]).unwrap().1, Some(3));
    }

    #[test]
    fn slots_add_up() {
        let stats = Stats::new(2);
        let held = stats.0[0].lock();
        stats.add(count(&b"a b a\n"[..]).unwrap().0);
        drop(held);
        stats.add(count(&b"b\nc"[..]).unwrap().0);
        let sum = stats.finish();
        assert_eq!(sum.numbers, [2, 9, 2, 5, 0, 0, 0]);
        assert_eq!(["a", "b", "c"].map(|word| sum.table[word]), [2, 2, 1]);
    }
}
