//! What the run ran on, for the header of its report.

use super::noise::cores;
use std::fs;

/// Processor, kernel, compiler and crates.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Named facts, in the order in which they are printed.
    pub facts: Vec<(&'static str, String)>,
}

/// The lock file that this build was resolved with.
const LOCK_FILE: &str = include_str!("../../../Cargo.lock");

impl Machine {
    /// Looks around. To be called after the measurements: the kernel gives a process its table of
    /// private futexes only when it starts threads.
    #[must_use]
    pub fn inspect() -> Machine {
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let named = ["lockwork", "parking_lot", "usync", "seqlock", "crossbeam-channel"];
        let crates = named.map(|name| {
            let version = locked_version(LOCK_FILE, name).unwrap_or("?");
            format!("{name} {version}")
        });
        Machine {
            facts: vec![
                ("CPU", processor()),
                ("cores", cores().to_string()),
                ("kernel", kernel.trim().to_owned()),
                ("private futex slots", futex_slots()),
                ("rustc", compiler()),
                ("crates", crates.join(", ")),
            ],
        }
    }
}

fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name| {
        let line = info.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim())
    };
    let Some(model) = field("model name") else { return "unknown".to_owned() };
    // Hypervisors shorten the name; family and model tell the generations apart.
    match (field("cpu family"), field("model\t")) {
        (Some(family), Some(number)) => format!("{model} (family {family}, model {number})"),
        _ => model.to_owned(),
    }
}

/// Size of the kernel's hash table for this process's futexes, where the kernel says.
fn futex_slots() -> String {
    const PR_FUTEX_HASH: libc::c_int = 78;
    const PR_FUTEX_HASH_GET_SLOTS: libc::c_ulong = 2;
    let none: libc::c_ulong = 0;
    // SAFETY: a question; kernels that do not know it answer with an error.
    match unsafe { libc::prctl(PR_FUTEX_HASH, PR_FUTEX_HASH_GET_SLOTS, none, none, none) } {
        -1 => "not reported".to_owned(),
        0 => "global table".to_owned(),
        slots => slots.to_string(),
    }
}

/// The compiler that built this binary. It signs its objects, and the linker keeps the signature.
fn compiler() -> String {
    const SIGNATURE: &[u8] = b"rustc version ";
    let binary = fs::read("/proc/self/exe").unwrap_or_default();
    let windows = binary.windows(SIGNATURE.len()).enumerate();
    // A version follows the signature. Nothing in particular follows the constant above.
    windows
        .filter(|(_, window)| *window == SIGNATURE)
        .map(|(at, _)| &binary[at + SIGNATURE.len()..])
        .find(|rest| rest.first().is_some_and(u8::is_ascii_digit))
        .and_then(|rest| rest.split(|&byte| byte == b' ' || byte == 0).next())
        .and_then(|version| std::str::from_utf8(version).ok())
        .map_or_else(|| "unknown".to_owned(), str::to_owned)
}

/// The version of a crate in a lock file; the last of several, as peers bring older ones of each
/// other along.
fn locked_version<'a>(lock_file: &'a str, name: &str) -> Option<&'a str> {
    let entry = lock_file.rsplit_once(&format!("name = \"{name}\"\nversion = \""))?.1;
    Some(entry.split_once('"')?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_come_from_the_lock_file() {
        let lock_file = "[[package]]\nname = \"a-b\"\nversion = \"1.2.2\"\n\n\
                         [[package]]\nname = \"a-b\"\nversion = \"1.2.3\"\n";
        assert_eq!(locked_version(lock_file, "a-b"), Some("1.2.3"));
        assert_eq!(locked_version(lock_file, "a"), None);
        assert!(locked_version(LOCK_FILE, "usync").is_some());
    }

    #[test]
    fn the_compiler_left_its_name_in_the_binary() {
        assert!(compiler().starts_with("1."), "{}", compiler());
    }
}
