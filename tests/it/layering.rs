//! The house rules that a compiler does not know, checked on the sources themselves.
//!
//! Each rule is a function from a source to findings. Each has a test that feeds it what it must
//! find and what it must let pass, so that a rule which has gone blind fails too.

mod scan;

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use scan::{Source, is_word};

/// The layers, lowest first: what stands in a row may use what stands in the same row or above it.
const LAYERS: &[&[&str]] = &[
    &["sys"],
    &["primitive"],
    &["raw"],
    &["sync", "pshared", "cancel"],
    &["counter", "stack", "queue"],
    &["pool"],
];

const STRONG: &[&str] = &["Acquire", "Release", "AcqRel", "SeqCst"];

#[derive(Debug)]
struct Finding {
    line: usize,
    what: String,
}

fn finding(line: usize, what: impl Into<String>) -> Finding {
    Finding { line, what: what.into() }
}

/// The module that a file is, from its path under `src`.
fn module(path: &str) -> Vec<String> {
    let path = path.strip_prefix("src/").unwrap_or(path);
    let path = path.strip_suffix(".rs").unwrap_or(path);
    let mut module: Vec<String> = path.split('/').map(str::to_owned).collect();
    if module.last().is_some_and(|last| last == "mod" || last == "lib") {
        module.pop();
    }
    module
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|names| names.contains(&module))
}

fn within(source: &Source, folder: &str) -> bool {
    module(&source.path).first().is_some_and(|first| first == folder)
}

/// For each token, the inline modules around it.
fn inline_modules(source: &Source) -> Vec<Vec<String>> {
    let (mut stack, mut depth) = (Vec::<(String, u32)>::new(), 0);
    let mut modules = Vec::new();
    for i in 0..source.tokens.len() {
        match source.token(i) {
            "{" => {
                depth += 1;
                if i >= 2 && source.token(i - 2) == "mod" {
                    stack.push((source.token(i - 1).to_owned(), depth));
                }
            }
            "}" => {
                if stack.last().is_some_and(|(_, at)| *at == depth) {
                    stack.pop();
                }
                depth -= 1;
            }
            _ => {}
        }
        modules.push(stack.iter().map(|(name, _)| name.clone()).collect());
    }
    modules
}

/// Arrows point down only, `sys` has one caller, and nothing takes the way around through the names
/// that the crate exports.
fn imports(source: &Source) -> Vec<Finding> {
    let own = module(&source.path);
    let Some(own_layer) = own.first().and_then(|first| layer(first)) else {
        return Vec::new(); // lib.rs: declares everything
    };
    let inline = inline_modules(source);
    let mut findings = Vec::new();
    for (path, end) in source.paths(&["crate", "super", "self"]) {
        let line = source.tokens[end].line;
        let mut target: Vec<String> = own.iter().chain(&inline[end]).cloned().collect();
        let mut rest = path.as_slice();
        if rest[0] == "crate" {
            target.clear();
            rest = &rest[1..];
        }
        while rest.first().is_some_and(|first| first == "super" || first == "self") {
            if rest[0] == "super" {
                target.pop();
            }
            rest = &rest[1..];
        }
        target.extend_from_slice(rest);
        let text = path.join("::");
        match target.first().map(|first| (first, layer(first))) {
            Some((_, Some(their_layer))) if their_layer > own_layer => {
                findings.push(finding(line, format!("`{text}` is an upward import")));
            }
            Some((first, Some(_))) if first == "sys" && own_layer > 1 => {
                findings.push(finding(line, format!("`{text}`: only `primitive` calls `sys`")));
            }
            Some((_, Some(_))) => {}
            // What an exported macro names is named in somebody else's crate.
            _ if source.in_macro(&path, end) => {}
            _ => findings.push(finding(line, format!("`{text}` goes through the crate's root"))),
        }
    }
    findings
}

/// `libc`, `loom` and the standard library's atomics each have one layer that names them.
fn foreign_names(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for token in &source.tokens {
        match token.text.as_str() {
            "libc" if !within(source, "sys") => {
                findings.push(finding(token.line, "`libc` outside `sys`"));
            }
            "loom" if !within(source, "primitive") => {
                // The gate itself: `sys` is left out of the model, which brings `std` along.
                let next = source.lines.get(token.line + 1).map_or("", |line| line.code.trim());
                let at_gate = source.path == "src/sys/mod.rs"
                    || source.path == "src/lib.rs" && next == "extern crate std;";
                if !(at_gate && source.lines[token.line].is_attribute()) {
                    findings.push(finding(token.line, "`loom` outside `primitive`"));
                }
            }
            _ => {}
        }
    }
    if !within(source, "primitive") {
        for (path, end) in source.paths(&["core", "std"]) {
            if path.len() > 2 && path[1] == "sync" && path[2] == "atomic" {
                let what = format!("`{}` outside `primitive`", path.join("::"));
                findings.push(finding(source.tokens[end].line, what));
            }
        }
    }
    findings
}

/// For each token, whether it is inside an implementation of a trait.
fn in_trait_impl(source: &Source) -> Vec<bool> {
    let (mut inside, mut depth) = (None, 0);
    // The words since the last block or statement began.
    let mut head = Vec::new();
    let mut marks = Vec::new();
    for i in 0..source.tokens.len() {
        match source.token(i) {
            "{" => {
                let of_trait = head.contains(&"impl") && head.contains(&"for");
                if inside.is_none() && of_trait && !head.contains(&"fn") {
                    inside = Some(depth);
                }
                depth += 1;
                head.clear();
            }
            "}" => {
                depth -= 1;
                if inside == Some(depth) {
                    inside = None;
                }
                head.clear();
            }
            ";" => head.clear(),
            word => head.push(word),
        }
        marks.push(inside.is_some());
    }
    marks
}

/// A proof above every `unsafe`, a contract on every function that asks for one. A trait's function
/// has its contract in the trait.
fn unsafe_code(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let of_trait = in_trait_impl(source);
    for (i, token) in source.tokens.iter().enumerate().filter(|(_, token)| token.text == "unsafe") {
        let above = source.comment_above(token.line);
        match source.token(i + 1) {
            "{" | "impl" if !above.contains("SAFETY: ") => {
                let next = source.token(i + 1);
                findings.push(finding(token.line, format!("`unsafe {next}` without `// SAFETY:`")));
            }
            "fn" | "trait" | "extern" => {
                let name = (i + 1..i + 5).find(|&j| matches!(source.token(j), "fn" | "trait"));
                let named = name.is_some_and(|j| is_word(source.token(j + 1)));
                let contract = of_trait[i] || above.contains("# Safety");
                if named && !contract {
                    findings.push(finding(token.line, "`unsafe fn` without a `# Safety` section"));
                }
            }
            _ => {}
        }
    }
    findings
}

/// The calls in which an ordering may be named: where, and the range of their arguments.
fn atomic_calls(source: &Source) -> Vec<(usize, std::ops::Range<usize>)> {
    (0..source.tokens.len())
        .filter_map(|i| {
            let name = source.token(i);
            let method = matches!(name, "load" | "store" | "swap")
                || name.ends_with(IN_TOTAL)
                || name.starts_with("compare_exchange")
                || name.starts_with("fetch_");
            let called = source.token(i + 1) == "(";
            let on_a_value = method && i > 0 && source.token(i - 1) == ".";
            if called && (on_a_value || matches!(name, "fence" | "compiler_fence")) {
                Some((i, source.arguments(i + 1)))
            } else if name == "ord" && source.token(i + 1) == "!" {
                Some((i, source.arguments(i + 2)))
            } else {
                None
            }
        })
        .collect()
}

/// Whether a comment gives the reason for an ordering: a sentence that starts with its name, alone
/// or in a list, and goes on after a colon.
fn explains(comment: &str, ordering: &str) -> bool {
    comment.match_indices(ordering).any(|(at, _)| {
        let (before, after) = (comment[..at].trim_end(), &comment[at + ordering.len()..]);
        let starts = before.is_empty() || before.ends_with(['.', '/', ',', ';', ')']);
        let names = after.split(':').next().unwrap_or("");
        let list = names.split([',', '/', ' ']).filter(|name| !name.is_empty());
        starts
            && after.contains(':')
            && list
                .into_iter()
                .all(|name| name == "Relaxed" || name == "and" || STRONG.contains(&name))
    })
}

/// Every ordering above `Relaxed` says why, beside the operation or in the two lines above it.
fn orderings(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (call, arguments) in atomic_calls(source) {
        for token in source.tokens[arguments].iter().filter(|token| STRONG.contains(&&*token.text))
        {
            let start = source.tokens[call].line;
            let explained = (start.saturating_sub(2)..=token.line).any(|line| {
                let comment = source.lines[line].comment.as_deref();
                comment.is_some_and(|comment| explains(comment, &token.text))
            });
            if !explained {
                let what = format!("`{}` without a reason beside or above it", token.text);
                findings.push(finding(token.line, what));
            }
        }
    }
    findings.dedup_by_key(|finding| finding.line); // `fence(ord!(..))` is two calls
    findings
}

/// How the accesses of `TotalU64` end whose order the model takes at its word.
const IN_TOTAL: &str = "_total";

/// What the model makes of them.
const TOTAL_ORDER: &str = "src/primitive/model/total_order.rs";

/// `SeqCst` orders only as a fence: the model treats such accesses as weaker than they are, unless
/// they are those of `TotalU64`.
fn seq_cst(source: &Source) -> Vec<Finding> {
    if source.path == TOTAL_ORDER {
        return Vec::new();
    }
    let mut allowed = Vec::new();
    for (call, arguments) in atomic_calls(source) {
        let name = source.token(call);
        if matches!(name, "fence" | "compiler_fence") || name.ends_with(IN_TOTAL) {
            allowed.extend(arguments);
        }
    }
    let mut in_use = false;
    let mut findings = Vec::new();
    for (i, token) in source.tokens.iter().enumerate() {
        match token.text.as_str() {
            "use" => in_use = true,
            ";" => in_use = false,
            "SeqCst" if !in_use && !allowed.contains(&i) => {
                findings.push(finding(token.line, "`SeqCst` other than in a fence"));
            }
            _ => {}
        }
    }
    findings
}

/// Nothing left to do, and nothing left over from looking for a fault.
fn leftovers(source: &Source) -> Vec<Finding> {
    let marks = ["todo", "unimplemented", "dbg"];
    (0..source.tokens.len())
        .filter(|&i| marks.contains(&source.token(i)) && source.token(i + 1) == "!")
        .map(|i| finding(source.tokens[i].line, format!("`{}!`", source.token(i))))
        .collect()
}

/// At most 100 columns, in comments too. A row of a table cannot be broken in Markdown.
fn width(source: &Source) -> Vec<Finding> {
    let too_wide = source.lines.iter().enumerate().filter(|(_, line)| {
        let row = line.raw.trim_start().trim_start_matches(['/', '!']).trim_start();
        line.raw.chars().count() > 100 && !(line.is_comment() && row.starts_with('|'))
    });
    too_wide
        .map(|(i, line)| finding(i, format!("{} columns wide", line.raw.chars().count())))
        .collect()
}

/// Paths that exist on one machine only.
fn machine_paths(source: &Source) -> Vec<Finding> {
    // In two parts, so that this file does not find itself.
    let paths = [["/", "work/"], ["/", "root/"], ["/", "home/"], ["/", "tmp/"]].map(|p| p.concat());
    let mut findings = Vec::new();
    for (i, line) in source.lines.iter().enumerate() {
        for path in &paths {
            // Part of a longer path, as in a URL, is another thing.
            let found = line.raw.match_indices(path.as_str()).any(|(at, _)| {
                !line.raw[..at].ends_with(|c: char| c.is_alphanumeric() || "-._$".contains(c))
            });
            if found {
                findings.push(finding(i, format!("names `{path}`")));
            }
        }
    }
    findings
}

type Rule = fn(&Source) -> Vec<Finding>;

/// What holds for the library itself.
const LIBRARY: &[Rule] = &[imports, foreign_names, orderings, seq_cst];
/// What holds for every Rust source.
const EVERYWHERE: &[Rule] = &[unsafe_code, leftovers, width, machine_paths];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All files below `folder` with one of the extensions, with paths relative to the crate.
fn files(folder: &str, extensions: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.expect("a directory that can be read").path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            if path.is_dir() {
                if name.as_deref() != Some("target") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|e| extensions.iter().any(|want| e == *want)) {
                let text = fs::read_to_string(&path).expect("UTF-8");
                let path = path.strip_prefix(root()).expect("below the crate's root");
                found.push(Source::parse(&path.to_string_lossy(), &text));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Applies the rules and fails with everything they find.
fn check(sources: &[Source], rules: &[Rule]) {
    let mut report = String::new();
    for source in sources {
        for Finding { line, what } in rules.iter().flat_map(|rule| rule(source)) {
            let _ = writeln!(report, "{}:{}: {what}", source.path, line + 1);
        }
    }
    assert!(report.is_empty(), "{report}");
}

#[test]
fn the_library_keeps_its_layers_and_gives_its_reasons() {
    let sources = files("src", &["rs"]);
    // The scan sees what is known to be there.
    let count =
        |word| sources.iter().flat_map(|s| &s.tokens).filter(|token| token.text == word).count();
    assert!(sources.len() >= 20 && count("unsafe") > 50 && count("Acquire") > 5);
    let modules = |source: &Source| module(&source.path).first().map(|first| layer(first));
    assert!(sources.iter().all(|source| modules(source) != Some(None)), "a folder without a layer");
    check(&sources, LIBRARY);
    check(&sources, EVERYWHERE);
}

#[test]
fn tests_examples_and_benches_keep_the_rules_for_all_code() {
    for folder in ["tests", "examples", "benches", "fuzz"] {
        check(&files(folder, &["rs"]), EVERYWHERE);
    }
    let texts = ["", "docs", ".ci", "tests", "benches", "fuzz", "examples"];
    for folder in texts {
        let only_here = |source: &Source| !folder.is_empty() || !source.path.contains('/');
        let mut sources = if folder.is_empty() {
            root_files(&["md", "toml"])
        } else {
            files(folder, &["md", "toml", "sh", "yml"])
        };
        sources.retain(only_here);
        check(&sources, &[machine_paths]);
    }
}

/// The files beside Cargo.toml, as lines only.
fn root_files(extensions: &[&str]) -> Vec<Source> {
    let entries = fs::read_dir(root()).expect("the crate's root");
    entries
        .map(|entry| entry.expect("a directory that can be read").path())
        .filter(|path| path.extension().is_some_and(|e| extensions.iter().any(|want| e == *want)))
        .map(|path| {
            let text = fs::read_to_string(&path).expect("UTF-8");
            let name = path.file_name().expect("a file").to_string_lossy().into_owned();
            Source::parse(&name, &text)
        })
        .collect()
}

/// What a Markdown text promises that the tree can be asked about: relative links, and the targets
/// and features that its cargo commands name.
fn broken_promises(text: &str, exists: &dyn Fn(&str) -> bool, manifest: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (i, line) in text.lines().enumerate() {
        for (at, _) in line.match_indices("](") {
            let target = line[at + 2..].split(')').next().unwrap_or("");
            let file = target.split('#').next().unwrap_or("");
            let elsewhere = target.contains("://") || target.starts_with("mailto:");
            // Paths to items are rustdoc's, which checks them itself.
            if !elsewhere && !file.is_empty() && !file.contains("::") && !exists(file) {
                findings.push(finding(i, format!("link to `{target}`, which does not exist")));
            }
        }
        let words: Vec<&str> = line.split([' ', '`']).filter(|word| !word.is_empty()).collect();
        if !words.contains(&"cargo") {
            continue;
        }
        for pair in words.windows(2) {
            let candidates = match pair[0] {
                "--example" => {
                    [format!("examples/{}.rs", pair[1]), format!("examples/{}/main.rs", pair[1])]
                }
                "--test" => [format!("tests/{}.rs", pair[1]), format!("tests/{}/main.rs", pair[1])],
                "--bench" => {
                    [format!("benches/benches/{}.rs", pair[1]), format!("benches/{}.rs", pair[1])]
                }
                "--manifest-path" => [pair[1].to_owned(), pair[1].to_owned()],
                "--features" => {
                    for feature in pair[1].split(',') {
                        if !manifest.lines().any(|line| line.starts_with(&format!("{feature} = ")))
                        {
                            findings.push(finding(i, format!("no feature `{feature}`")));
                        }
                    }
                    continue;
                }
                _ => continue,
            };
            if !candidates.iter().any(|file| exists(file)) {
                findings.push(finding(i, format!("`{} {}`: there is none", pair[0], pair[1])));
            }
        }
    }
    findings
}

#[test]
fn links_and_commands_in_the_documents_lead_somewhere() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("the manifest");
    let mut documents = root_files(&["md"]);
    documents.extend(files("docs", &["md"]));
    let mut report = String::new();
    for source in documents {
        let text = source.lines.iter().map(|line| line.raw.as_str()).collect::<Vec<_>>().join("\n");
        let folder = Path::new(&source.path).parent().unwrap_or(Path::new("")).to_owned();
        let exists =
            |file: &str| root().join(&folder).join(file).exists() || root().join(file).exists();
        for Finding { line, what } in broken_promises(&text, &exists, &manifest) {
            let _ = writeln!(report, "{}:{}: {what}", source.path, line + 1);
        }
    }
    assert!(report.is_empty(), "{report}");
}

/// The rules themselves: each must find what it is there for, and nothing else.
mod rules {
    use super::*;

    #[track_caller]
    fn finds(rule: Rule, path: &str, bad: &str) {
        assert!(!rule(&Source::parse(path, bad)).is_empty(), "not found in {path}:\n{bad}");
    }

    #[track_caller]
    fn passes(rule: Rule, path: &str, good: &str) {
        let findings = rule(&Source::parse(path, good));
        assert!(findings.is_empty(), "{findings:?} in {path}:\n{good}");
    }

    #[test]
    fn upward_imports() {
        finds(imports, "src/raw/mutex.rs", "use crate::sync::Mutex;");
        finds(imports, "src/primitive/mod.rs", "use super::raw::Mutex;");
        finds(imports, "src/raw/mod.rs", "use crate::{primitive::Futex, queue::ArrayQueue};");
        finds(imports, "src/sync/mutex.rs", "fn f() { let x = crate::pool::name(); }");
        finds(imports, "src/queue/array.rs", "mod tests { use super::super::super::pool::Pool; }");
        finds(imports, "src/raw/mutex.rs", "use super::super::{\n    pool::X,\n};");
        passes(imports, "src/raw/mutex.rs", "use super::Ring;\nuse crate::primitive::Futex;");
        passes(imports, "src/queue/array.rs", "mod tests { use super::super::Queue; }");
        passes(imports, "src/raw/mutex.rs", "//! [`Mutex`](crate::Mutex)\n/// use crate::pool;\n");
        passes(imports, "src/lib.rs", "pub use crate::pool::ThreadPool;");
        passes(imports, "src/sync/mutex.rs", "pub(crate) struct X; use crate::cancel::Token;");
    }

    #[test]
    fn the_way_around_through_the_root() {
        finds(imports, "src/raw/mutex.rs", "use crate::Mutex;");
        finds(imports, "src/sync/mod.rs", "use super::Deadline;");
        finds(imports, "src/raw/mutex.rs", "macro_rules! m { () => { $crate::pool::X } }");
        passes(imports, "src/raw/mutex.rs", "macro_rules! m { () => { $crate::Mutex } }");
    }

    #[test]
    fn callers_of_sys() {
        finds(imports, "src/raw/mutex.rs", "use crate::sys::futex;");
        finds(imports, "src/pool/mod.rs", "crate::sys::thread::tid()");
        passes(imports, "src/primitive/real.rs", "use crate::sys;\nuse crate::sys::errno::Errno;");
        passes(imports, "src/sys/futex.rs", "use super::errno;");
    }

    #[test]
    fn names_of_one_layer() {
        finds(foreign_names, "src/raw/mutex.rs", "let x = libc::EAGAIN;");
        finds(foreign_names, "src/primitive/real.rs", "use libc::c_int;");
        passes(foreign_names, "src/sys/futex.rs", "use libc::c_int; // loom");
        finds(foreign_names, "src/raw/mutex.rs", "#[cfg(loom)]\nfn f() {}");
        finds(foreign_names, "src/sys/mod.rs", "use loom::thread;");
        finds(foreign_names, "src/lib.rs", "#[cfg(all(loom, feature = \"loom\"))]\nmod sys;");
        passes(foreign_names, "src/sys/mod.rs", "#![cfg(not(all(loom, feature = \"loom\")))]");
        passes(foreign_names, "src/lib.rs", "#[cfg(any(test, loom))]\nextern crate std;");
        passes(foreign_names, "src/primitive/model/mod.rs", "pub use loom::thread;");
        finds(foreign_names, "src/raw/mutex.rs", "use core::sync::atomic::AtomicU32;");
        finds(foreign_names, "src/pool/mod.rs", "use std::sync::{Arc, atomic::{AtomicBool}};");
        finds(foreign_names, "src/sys/futex.rs", "let x = std::sync::atomic::fence(o);");
        passes(foreign_names, "src/primitive/real.rs", "use core::sync::atomic::AtomicU32;");
        passes(foreign_names, "src/pool/mod.rs", "use std::sync::Arc; // core::sync::atomic");
    }

    #[test]
    fn unsafe_without_its_proof() {
        finds(unsafe_code, "src/raw/x.rs", "fn f() {\n    let x = unsafe { g() };\n}");
        finds(unsafe_code, "src/raw/x.rs", "// It is safe.\nunsafe impl Send for X {}");
        finds(unsafe_code, "src/raw/x.rs", "// SAFETY: one.\nlet a = 1;\nlet x = unsafe { g() };");
        finds(unsafe_code, "src/raw/x.rs", "/// Does it.\npub unsafe fn f() {}");
        finds(unsafe_code, "src/raw/x.rs", "unsafe extern \"C\" fn f() {}");
        finds(unsafe_code, "src/raw/x.rs", "pub unsafe trait T {}");
        finds(unsafe_code, "src/raw/x.rs", "impl X {\n// SAFETY: no.\nunsafe fn f() {}\n}");
        finds(
            unsafe_code,
            "src/raw/x.rs",
            "impl T for X { fn f() {} }\n// SAFETY: no.\nunsafe fn g() {}",
        );
        passes(unsafe_code, "src/raw/x.rs", "impl T for X {\nunsafe fn f() {}\n}");
        passes(unsafe_code, "src/raw/x.rs", "// SAFETY: yes.\nunsafe impl Send for X {}");
        passes(unsafe_code, "src/raw/x.rs", "// SAFETY: yes.\n// Relaxed: row e.\nunsafe { g() }");
        passes(unsafe_code, "src/raw/x.rs", "// SAFETY: yes.\nlet long =\n    unsafe { g() };");
        passes(
            unsafe_code,
            "src/raw/x.rs",
            "/// # Safety\n///\n/// None.\n#[inline]\npub unsafe fn f() {}",
        );
        passes(unsafe_code, "src/raw/x.rs", "type F = unsafe fn(u8); // \"unsafe {\"");
        passes(unsafe_code, "src/raw/x.rs", "let s = \"unsafe { }\";");
    }

    #[test]
    fn orderings_without_a_reason() {
        finds(orderings, "src/raw/x.rs", "a.load(Acquire);");
        finds(orderings, "src/raw/x.rs", "a.store(1, Ordering::Release);");
        finds(orderings, "src/raw/x.rs", "// the word\na.swap(1, ord!(\"x.a\", AcqRel));");
        finds(orderings, "src/raw/x.rs", "// Acquire: row a.\n\n\na.load(Acquire);");
        finds(orderings, "src/raw/x.rs", "// Acquire: row a.\na.swap(1, Release);");
        finds(orderings, "src/raw/x.rs", "// needs Acquire: of course\na.load(Acquire);");
        finds(orderings, "src/raw/x.rs", "fence(SeqCst); // a fence");
        finds(orderings, "src/raw/x.rs", "a.load_total(SeqCst);");
        passes(orderings, "src/raw/x.rs", "a.load(Relaxed);");
        passes(orderings, "src/raw/x.rs", "// Acquire: row a.\na.load(Acquire);");
        passes(orderings, "src/raw/x.rs", "a.load(ord!(\"x.a\", Acquire)); // Acquire: row a.");
        passes(
            orderings,
            "src/raw/x.rs",
            "// Acquire / Relaxed: rows a, d.\na.cas(1, Acquire, x);",
        );
        passes(
            orderings,
            "src/raw/x.rs",
            "// Ours. Release, Acquire: rows a and b.\na.compare_exchange(0, 1, Release, Acquire);",
        );
        passes(orderings, "src/raw/x.rs", "fence(ord!(\"x.a\", SeqCst)); // SeqCst: row a.");
    }

    #[test]
    fn sequential_consistency_outside_fences() {
        finds(seq_cst, "src/raw/x.rs", "a.load(SeqCst);");
        finds(seq_cst, "src/raw/x.rs", "let order = Ordering::SeqCst;");
        passes(seq_cst, "src/raw/x.rs", "use crate::primitive::Ordering::{Relaxed, SeqCst};");
        finds(seq_cst, "src/raw/x.rs", "a.swap(1, SeqCst); a.load_total(SeqCst);");
        passes(seq_cst, "src/raw/x.rs", "a.load_total(ord!(\"x.a\", SeqCst));");
        passes(seq_cst, "src/raw/x.rs", "fence(SeqCst); fence(ord!(\"x.a\", SeqCst)); // SeqCst");
    }

    #[test]
    fn leftovers_and_wide_lines() {
        finds(leftovers, "src/raw/x.rs", "fn f() { todo!() }");
        finds(leftovers, "src/raw/x.rs", "dbg!(x); unimplemented!(\"later\")");
        passes(leftovers, "src/raw/x.rs", "// todo!()\nlet todo = 1;");
        finds(width, "src/raw/x.rs", &"x".repeat(101));
        finds(width, "src/raw/x.rs", &format!("//! {}", "x".repeat(97)));
        passes(width, "src/raw/x.rs", &"ö".repeat(100));
        passes(width, "src/raw/x.rs", &format!("//! | {} |", "x".repeat(120)));
    }

    #[test]
    fn paths_of_one_machine() {
        for path in ["work/main", "root/.cargo", "home/me", "tmp/x"] {
            finds(machine_paths, "src/raw/x.rs", &format!("// see /{path}"));
        }
        passes(machine_paths, "src/raw/x.rs", "// https://example.org/work/x and a/tmp/b");
    }

    #[test]
    fn promises_of_a_document() {
        let manifest = "[features]\nstd = [\"alloc\"]\nloom = []\n";
        let exists =
            |file: &str| matches!(file, "LICENSE-MIT" | "tests/it/main.rs" | "examples/a.rs");
        let broken = |text: &str| broken_promises(text, &exists, manifest).len();
        assert_eq!(broken("[a](LICENSE-APACHE) [b](docs/x.md#part)"), 2);
        assert_eq!(broken("cargo run --example b"), 1);
        assert_eq!(broken("`cargo test --test process --features loom,none`"), 2);
        let good = "[a](LICENSE-MIT) [b](#part) [c](https://x.org/y) [d](crate::Mutex)\n\
                    cargo run --release --example a -- --check\n\
                    cargo test --features loom --test it";
        assert_eq!(broken(good), 0);
    }
}
