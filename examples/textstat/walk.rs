//! The walk over the files, on one thread.

use std::fs;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use crate::args::Options;
use crate::count::{Stats, Tally};

/// Calls `each` for every regular file, with whether the user named it; the rest goes to `stats`.
///
/// Links inside a tree are not followed, so there are no loops. Only regular files are opened: to
/// open a FIFO would wait for its writer.
pub(crate) fn walk(options: &Options, stats: &Stats, mut each: impl FnMut(PathBuf, bool)) {
    let wanted = |entry: &DirEntry| {
        let left_out = entry.file_name() == ".git" || entry.file_name() == "target";
        !(options.own_tree && entry.depth() > 0 && left_out && entry.file_type().is_dir())
    };
    let entries = |root| WalkDir::new(root).into_iter().filter_entry(wanted);
    for entry in options.paths.iter().flat_map(entries) {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let reason = error.io_error().map_or(error.to_string(), ToString::to_string);
                let path = error.path().unwrap_or(Path::new("?"));
                stats.add(Tally::unreadable(path, error.depth() == 0, &reason));
                continue;
            }
        };
        let named = entry.depth() == 0;
        // A link that the user named stands for its target, which the walk has seen to exist.
        let target = if named { fs::metadata(entry.path()).ok() } else { None };
        let kind = target.map_or(entry.file_type(), |target| target.file_type());
        if kind.is_file() {
            each(entry.into_path(), named);
        } else if named && !kind.is_dir() {
            stats.add(Tally::unreadable(entry.path(), true, "neither a file nor a directory"));
        } else if !kind.is_dir() {
            stats.add(Tally::skipped());
        }
    }
}
