//! One JSON line per peer and round, for programs that want to look closer than a table does.
//!
//! The first line describes the run. Each of the others has the cell, the peer, the round, whether
//! the round was kept (or what disturbed it), and every figure that was taken.

use super::machine::Machine;
use super::sample::Sample;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Journal {
    /// Opens a new journal for a family, in `bench/` of this build's target directory.
    ///
    /// # Errors
    ///
    /// If the directory or the file cannot be created.
    pub fn create(family: &str) -> io::Result<Journal> {
        let directory = target_directory()?.join("bench");
        fs::create_dir_all(&directory)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let path = directory.join(format!("{family}-{now}.jsonl"));
        let file = BufWriter::new(File::create(&path)?);
        let mut journal = Journal { path, file };
        let facts = Machine::inspect().facts;
        let facts = facts.iter().map(|(name, value)| format!("{}:{}", quoted(name), quoted(value)));
        let facts: Vec<String> = facts.collect();
        let family = quoted(family);
        writeln!(journal.file, "{{\"family\":{family},\"started\":{now},{}}}", facts.join(","))?;
        Ok(journal)
    }

    /// Writes down one peer's part in one round.
    ///
    /// # Errors
    ///
    /// If the disk is full, or whatever else keeps a line from being written.
    pub fn note(&mut self, entry: &Entry<'_>) -> io::Result<()> {
        let Entry { cell, peer, round, verdict, sample } = *entry;
        let (cell, peer, verdict) = (quoted(cell), quoted(peer), quoted(verdict));
        write!(self.file, "{{\"cell\":{cell},\"peer\":{peer},\"round\":{round}")?;
        write!(self.file, ",\"verdict\":{verdict}")?;
        for (name, value) in sample.figures() {
            // JSON has no infinities.
            let value = if value.is_finite() { value.to_string() } else { "null".to_owned() };
            write!(self.file, ",{}:{value}", quoted(&name))?;
        }
        writeln!(self.file, "}}")
    }

    /// Closes the journal and says where it is.
    ///
    /// # Errors
    ///
    /// If the last lines cannot be written.
    pub fn finish(mut self) -> io::Result<PathBuf> {
        self.file.flush()?;
        Ok(self.path)
    }
}

/// One line.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Name of the cell.
    pub cell: &'a str,
    /// Name of the peer.
    pub peer: &'a str,
    /// Number of the round, dropped ones included.
    pub round: usize,
    /// `kept`, `traced`, or what disturbed the round.
    pub verdict: &'a str,
    /// The figures.
    pub sample: &'a Sample,
}

/// `target` of `target/release/deps/mutex-0123456789abcdef`, or of `target/release/schedules`.
fn target_directory() -> io::Result<PathBuf> {
    let binary = std::env::current_exe()?;
    let built = binary.parent().map(|path| match path.file_name() {
        Some(name) if name == "deps" => path.parent().unwrap_or(path),
        _ => path,
    });
    Ok(built.and_then(Path::parent).unwrap_or(Path::new(".")).to_owned())
}

/// A JSON string.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c < ' ' => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped() {
        assert_eq!(quoted(r#"a "b" \ c"#), r#""a \"b\" \\ c""#);
        assert_eq!(quoted("x\ty"), "\"x\\u0009y\"");
    }
}
