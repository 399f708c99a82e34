//! README names tests and commands; both must exist.

use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names in the promise table, as `(binary, path of the test)`.
fn named_tests(readme: &str) -> Vec<(&str, &str)> {
    readme
        .split('`')
        .skip(1)
        .step_by(2)
        .filter_map(|code| code.split_once(' '))
        .filter(|(binary, test)| ["it", "loom", "process"].contains(binary) && test.contains("::"))
        .collect()
}

/// Whether the file of the test's module has it: as a function in the modules its path names, or as
/// a case of the process tests.
pub(super) fn exists(binary: &str, test: &str) -> bool {
    let mut path: Vec<&str> = test.split("::").collect();
    let mut file = path.remove(0).to_owned();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(binary);
    // A module may be a folder, with files of its own.
    let nested = path.first().map_or_else(String::new, |inner| format!("{file}/{inner}"));
    if folder.join(format!("{nested}.rs")).exists() {
        file = nested;
        path.remove(0);
    }
    let source = read(&format!("tests/{binary}/{file}.rs"));
    if binary == "process" {
        return source.contains(&format!("\"{test}\""));
    }
    let (name, modules) = path.split_last().expect("a test in a module");
    source.contains(&format!("fn {name}()"))
        && modules.iter().all(|module| source.contains(&format!("mod {module} {{")))
}

#[test]
fn the_tests_behind_the_promises_exist() {
    let readme = read("README.md");
    let tests = named_tests(&readme);
    assert!(tests.len() > 40, "only {} tests are named", tests.len());
    let missing: Vec<_> = tests.iter().filter(|(binary, test)| !exists(binary, test)).collect();
    assert!(missing.is_empty(), "README names tests that do not exist: {missing:?}");
    let rows = readme.lines().skip_while(|line| !line.starts_with("| promise |")).skip(2);
    for row in rows.take_while(|line| line.starts_with('|')) {
        assert!(!named_tests(row).is_empty(), "a promise without a test: {row}");
    }
}

#[test]
fn names_that_do_not_exist_are_noticed() {
    let text =
        "`it mutex::sizes`, `loom pool::no_such_test`, `cargo test`, `process fork::a_ghost`";
    let tests = named_tests(text);
    assert_eq!(tests.len(), 3);
    let existing: Vec<bool> = tests.iter().map(|(binary, test)| exists(binary, test)).collect();
    assert_eq!(existing, [true, false, false]);
}

#[test]
fn the_two_commands_are_what_is_checked() {
    let (readme, ci) = (read("README.md"), read(".ci/run"));
    let mut commands = readme.split("```sh\n").skip(1).map(|rest| {
        let (block, _) = rest.split_once("\n```").expect("a code block ends");
        block
    });
    let (run, test) = (commands.next().unwrap(), commands.next().unwrap());
    assert!(run.contains("--example textstat") && ci.contains(run), "CI does not run: {run}");
    assert!(test.starts_with("cargo test") && ci.contains(test), "CI does not run: {test}");
    assert!(readme.find(run).unwrap() < 1_000, "the commands stand at the top");
}
