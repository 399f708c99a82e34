//! The processor quota of a process, read from where the kernel shows it.
//!
//! `cgroup` of a process names its group in each hierarchy, by a path below the hierarchy's root.
//! `mountinfo` says where a hierarchy, or a part of it, is mounted. A limit holds for a group and
//! all groups inside it, so the way from the group up to the mount point is searched; further up
//! nothing can be seen. Sources: cgroups(7), proc(5), and the kernel's
//! `Documentation/admin-guide/cgroup-v2.rst`.
//!
//! What cannot be read or understood counts as no limit: a wrong guess would cost more than none.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

/// A hierarchy of control groups, as it is mounted.
#[derive(Debug, PartialEq)]
struct Mount {
    version: Version,
    /// The group that is seen at the mount point.
    root: PathBuf,
    point: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Version {
    /// One hierarchy for each controller; this is the one of `cpu`.
    One,
    /// One for all.
    Two,
}

/// The least quota on the way up from the groups of the process whose folder in `/proc` this is.
/// The mount points are looked up below `root`.
pub(super) fn quota(process: &Path, root: &Path) -> Option<f64> {
    let groups = text(&process.join("cgroup"))?;
    let mounts = fs::read(process.join("mountinfo")).ok()?;
    mounts
        .split(|byte| *byte == b'\n')
        .filter_map(mount)
        .filter_map(|mount| {
            let group = group(&groups, mount.version)?;
            let point = root.join(mount.point.strip_prefix("/").ok()?);
            least(mount.version, &point, below(&group, &mount.root))
        })
        .reduce(f64::min)
}

/// The least limit from this group up to the mount point.
fn least(version: Version, point: &Path, group: &Path) -> Option<f64> {
    group.ancestors().filter_map(|group| limit(version, &point.join(group))).reduce(f64::min)
}

/// The limit that a group itself sets.
fn limit(version: Version, folder: &Path) -> Option<f64> {
    let (quota, period) = match version {
        Version::One => {
            (text(&folder.join("cpu.cfs_quota_us"))?, text(&folder.join("cpu.cfs_period_us"))?)
        }
        Version::Two => {
            let both = text(&folder.join("cpu.max"))?;
            let (quota, period) = both.trim().split_once(' ')?;
            (quota.to_string(), period.to_string())
        }
    };
    // Without a limit the quota is -1, or "max", which is no number.
    let (quota, period) = (quota.trim().parse::<i64>().ok()?, period.trim().parse::<i64>().ok()?);
    (quota > 0 && period > 0).then(|| quota as f64 / period as f64)
}

/// The path of the process's group: lines are `number:controllers:path`.
fn group(groups: &str, version: Version) -> Option<PathBuf> {
    let mut lines = groups.lines().filter_map(|line| {
        let (number, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        Some((number, controllers, path))
    });
    let found = lines.find(|(number, controllers, _)| match version {
        Version::One => controllers.split(',').any(|controller| controller == "cpu"),
        Version::Two => *number == "0" && controllers.is_empty(),
    });
    found.map(|(_, _, path)| PathBuf::from(path))
}

/// What of a group's path lies below the mount's root. Nothing, if the group is not in there, as
/// when the process was moved from outside into a namespace: then the limit at the mount point is
/// the best that is known.
fn below<'a>(group: &'a Path, root: &Path) -> &'a Path {
    let below = group.strip_prefix(root).unwrap_or(Path::new(""));
    let plain = below.components().all(|part| matches!(part, Component::Normal(_)));
    if plain { below } else { Path::new("") }
}

/// A line of `mountinfo`, if it is about a hierarchy that may limit processor time:
/// `id parent device root point options [optional ...] - type source super-options`.
fn mount(line: &[u8]) -> Option<Mount> {
    let fields: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    let dash = fields.iter().position(|field| *field == b"-")?;
    let version = match *fields.get(dash + 1)? {
        b"cgroup2" => Version::Two,
        b"cgroup" => {
            let mut options = fields.get(dash + 3)?.split(|byte| *byte == b',');
            options.find(|option| *option == b"cpu")?;
            Version::One
        }
        _ => return None,
    };
    Some(Mount { version, root: path(fields.get(3)?), point: path(fields.get(4)?) })
}

/// A path in which spaces, tabs, newlines and backslashes are written as `\` and three octal
/// digits.
fn path(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, tail)) = rest.split_first() {
        let digits =
            tail.get(..3).filter(|digits| digits.iter().all(|d| (b'0'..=b'7').contains(d)));
        match digits {
            Some(digits) if byte == b'\\' => {
                let value = digits.iter().fold(0, |value, d| value * 8 + u32::from(d - b'0'));
                bytes.push(value as u8);
                rest = &tail[3..];
            }
            _ => {
                bytes.push(byte);
                rest = tail;
            }
        }
    }
    PathBuf::from(OsString::from_vec(bytes))
}

fn text(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok()
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use std::{env, process, thread};

    use super::*;

    /// A folder with a made-up `/proc/self` and made-up hierarchies in it.
    struct World(PathBuf);

    impl World {
        fn new(groups: &str, mounts: &str) -> Self {
            let thread = thread::current();
            let test = thread.name().unwrap_or("a test").replace("::", "-");
            let name = format!("lockwork-{test}-{}", process::id());
            let world = Self(env::temp_dir().join(name));
            world.write("self/cgroup", groups);
            world.write("self/mountinfo", mounts);
            world
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.0.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        fn quota(&self) -> Option<f64> {
            quota(&self.0.join("self"), &self.0)
        }
    }

    impl Drop for World {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    const TWO: &str = "22 1 0:20 / / rw - ext4 /dev/vda rw\n\
                       29 22 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";

    #[test]
    fn version_two() {
        let world = World::new("0::/web.slice/server.service\n", TWO);
        assert_eq!(world.quota(), None, "no file at all");
        world.write("sys/fs/cgroup/web.slice/server.service/cpu.max", "max 100000\n");
        assert_eq!(world.quota(), None);
        world.write("sys/fs/cgroup/web.slice/server.service/cpu.max", "150000 100000\n");
        assert_eq!(world.quota(), Some(1.5));
        world.write("sys/fs/cgroup/web.slice/cpu.max", "50000 100000\n");
        assert_eq!(world.quota(), Some(0.5), "a group around it is tighter");
        world.write("sys/fs/cgroup/web.slice/cpu.max", "400000 100000\n");
        assert_eq!(world.quota(), Some(1.5));
    }

    #[test]
    fn version_one_beside_two() {
        let mounts = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
            32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
            33 31 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n\
            41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let groups = "3:cpuset:/other\n2:cpu,cpuacct:/a/b\n0::/\n";
        let world = World::new(groups, mounts);
        let group = "sys/fs/cgroup/cpu,cpuacct/a/b";
        world.write(&format!("{group}/cpu.cfs_period_us"), "50000\n");
        world.write(&format!("{group}/cpu.cfs_quota_us"), "-1\n");
        assert_eq!(world.quota(), None);
        world.write(&format!("{group}/cpu.cfs_quota_us"), "125000\n");
        assert_eq!(world.quota(), Some(2.5));
        world.write("sys/fs/cgroup/unified/cpu.max", "100000 100000\n");
        assert_eq!(world.quota(), Some(1.0));
    }

    #[test]
    fn in_a_container() {
        // The runtime mounts the container's own group, under the name that the host knows it by.
        let mounts = "29 22 0:26 /docker/ab /sys/fs/cgroup ro - cgroup cgroup rw,cpu\n";
        let world = World::new("4:cpu:/docker/ab/inner\n", mounts);
        world.write("sys/fs/cgroup/cpu.cfs_quota_us", "200000\n");
        world.write("sys/fs/cgroup/cpu.cfs_period_us", "100000\n");
        assert_eq!(world.quota(), Some(2.0));
        world.write("sys/fs/cgroup/inner/cpu.cfs_quota_us", "100000\n");
        world.write("sys/fs/cgroup/inner/cpu.cfs_period_us", "100000\n");
        assert_eq!(world.quota(), Some(1.0));
    }

    #[test]
    fn a_group_outside_of_what_is_mounted() {
        for groups in ["0::/../../elsewhere\n", "0::/../x\n"] {
            let world = World::new(groups, TWO);
            world.write("elsewhere/cpu.max", "100 100000\n");
            world.write("sys/fs/x/cpu.max", "100 100000\n");
            world.write("sys/fs/cgroup/cpu.max", "300000 100000\n");
            assert_eq!(world.quota(), Some(3.0), "{groups}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_no_limit() {
        for text in ["", "max", "0 100000", "1 0", "-5 100000", "1.5 1", "7", "a b c"] {
            let world = World::new("0::/\n", TWO);
            world.write("sys/fs/cgroup/cpu.max", text);
            assert_eq!(world.quota(), None, "{text:?}");
        }
        for groups in ["", "\n", "nonsense", "1:", "0:cpu", "x::/\n"] {
            let world = World::new(groups, TWO);
            world.write("sys/fs/cgroup/cpu.max", "100000 100000\n");
            assert_eq!(world.quota(), None, "{groups:?}");
        }
        for line in ["", " ", "1 2 3", "1 2 3 / /x rw -", "1 2 3 / /x rw - cgroup cgroup"] {
            assert_eq!(mount(line.as_bytes()), None, "{line:?}");
        }
    }

    #[test]
    fn escaped_paths() {
        let line = br"1 2 0:3 / /mnt/a\040b\134c rw - cgroup2 none rw";
        assert_eq!(mount(line).unwrap().point, Path::new(r"/mnt/a b\c"));
        assert_eq!(path(br"\04x\9"), Path::new(r"\04x\9"));
    }
}
