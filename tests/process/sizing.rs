//! What the machine allows a process, when that changes under it.

use std::fs;
use std::path::{Path, PathBuf};

use lockwork::pool::sizing;
use lockwork::rt;

use super::runner::{Case, Outcome};

pub(crate) const CASES: &[Case] =
    &[("sizing::affinity", affinity), ("sizing::control_group", control_group)];

fn affinity() -> Outcome {
    let all = rt::cpus().unwrap();
    assert_eq!(sizing::cpus().get(), all.len());
    rt::pin_to(&all[..1]).unwrap();
    assert_eq!(sizing::cpus().get(), 1);
    assert_eq!(sizing::parallelism().get(), 1);
    let elsewhere = std::thread::spawn(|| sizing::cpus().get()).join().unwrap();
    assert_eq!(elsewhere, 1, "threads begin with the affinity of who starts them");
    Outcome::Passed
}

/// A control group of this process's own, removed at the end.
struct Group(PathBuf);

impl Group {
    fn write(&self, file: &str, text: &str) {
        fs::write(self.0.join(file), text).unwrap_or_else(|error| panic!("{file}: {error}"));
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // It can be removed once nobody is in it.
        let parent = self.0.parent().unwrap();
        let _ = fs::write(parent.join("cgroup.procs"), std::process::id().to_string());
        let _ = fs::remove_dir(&self.0);
    }
}

fn control_group() -> Outcome {
    let old = [Path::new("/sys/fs/cgroup/cpu"), Path::new("/sys/fs/cgroup/cpu,cpuacct")];
    let old = old.into_iter().find(|folder| folder.join("cpu.cfs_quota_us").exists());
    let root = old.unwrap_or(Path::new("/sys/fs/cgroup"));
    let group = root.join(format!("lockwork-test-{}", std::process::id()));
    if let Err(error) = fs::create_dir(&group) {
        return Outcome::Skipped(format!("may not make a control group: {error}"));
    }
    let group = Group(group);
    let limit = |quota: &str| match old {
        Some(_) => {
            group.write("cpu.cfs_period_us", "100000");
            group.write("cpu.cfs_quota_us", quota);
        }
        None => group.write("cpu.max", &format!("{quota} 100000")),
    };
    if old.is_none() && !group.0.join("cpu.max").exists() {
        return Outcome::Skipped("control groups do not limit processors here".into());
    }
    if let Err(error) = fs::write(group.0.join("cgroup.procs"), std::process::id().to_string()) {
        return Outcome::Skipped(format!("may not enter a control group: {error}"));
    }
    let cpus = sizing::cpus().get();
    for (quota, expected) in [("150000", 1.5), ("50000", 0.5), ("400000", 4.0)] {
        limit(quota);
        let found = sizing::quota().expect("a limit was set");
        assert!(found <= expected, "{found} of {expected}"); // one around it may be tighter
        assert_eq!(sizing::parallelism().get(), cpus.min(found.ceil() as usize));
        assert_eq!(sizing::cpus().get(), cpus, "the quota is no affinity");
    }
    limit("50000");
    assert_eq!(sizing::parallelism().get(), 1);
    Outcome::Passed
}
