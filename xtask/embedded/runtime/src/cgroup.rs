//! Memory limits: a subtree of the machine's memory cgroup for this run, if one can be created.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The smallest memory limit that the kernel is given: below it, a program can't even start.
const LIMIT_BYTES_MIN: u64 = 4 << 20;

static TREE: OnceLock<Option<Tree>> = OnceLock::new();

/// Keeps the tree that was prepared outside the node's namespaces; [`tree`] returns it.
pub fn use_tree(tree: Option<Tree>) {
    let _ = TREE.set(tree);
}

/// Returns the run's tree, or `None` if limits can't be enforced.
pub fn tree() -> Option<&'static Tree> {
    TREE.get().and_then(Option::as_ref)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    V1,
    V2,
}

/// The run's own subtree, with one group for each limited container.
#[derive(Debug, Clone)]
pub struct Tree {
    dir: PathBuf,
    version: Version,
}

impl Tree {
    /// Creates the subtree, named after this process, and removes the subtrees that dead processes left.
    pub fn prepare() -> Option<Self> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let (parent, version) = find(&mounts, &own)?;
        let namespace = pid_namespace();
        sweep(&parent, &namespace);
        if version == Version::V2 {
            // If the controller isn't enabled, that is the host's decision.
            let controllers = fs::read_to_string(parent.join("cgroup.subtree_control")).ok()?;
            controllers.split_whitespace().find(|name| *name == "memory")?;
        }
        let tree = Self { dir: parent.join(format!("chartproof-{}-{namespace}", std::process::id())), version };
        fs::create_dir_all(&tree.dir).ok()?;
        let usable =
            tree.allow_children().and_then(|()| tree.group("probe", LIMIT_BYTES_MIN)).map(|group| group.remove());
        if let Err(error) = usable {
            tracing::debug!("memory limits can't be enforced by {}: {error}", tree.dir.display());
            tree.remove();
            return None;
        }
        Some(tree)
    }

    fn allow_children(&self) -> io::Result<()> {
        match self.version {
            Version::V1 => Ok(()),
            Version::V2 => fs::write(self.dir.join("cgroup.subtree_control"), "+memory"),
        }
    }

    /// Creates a group for one container, limited to this many bytes without swap.
    pub fn group(&self, name: &str, limit_bytes: u64) -> io::Result<Group> {
        let group = Group { dir: self.dir.join(name), version: self.version };
        fs::create_dir_all(&group.dir)?;
        let limit = limit_bytes.max(LIMIT_BYTES_MIN).to_string();
        match self.version {
            Version::V1 => {
                fs::write(group.dir.join("memory.limit_in_bytes"), &limit)?;
                write_if_there(&group.dir.join("memory.memsw.limit_in_bytes"), &limit);
            }
            Version::V2 => {
                fs::write(group.dir.join("memory.max"), &limit)?;
                write_if_there(&group.dir.join("memory.swap.max"), "0");
                // As kubelet does: a container that runs out of memory is killed as a whole.
                write_if_there(&group.dir.join("memory.oom.group"), "1");
            }
        }
        Ok(group)
    }

    /// Removes the subtree. Groups that still contain processes stay.
    pub fn remove(&self) {
        remove_tree(&self.dir);
    }
}

/// A container's memory cgroup.
#[derive(Debug)]
pub struct Group {
    dir: PathBuf,
    version: Version,
}

impl Group {
    /// Moves a process into the group; its children follow.
    pub fn add(&self, pid: u32) -> io::Result<()> {
        fs::write(self.dir.join("cgroup.procs"), pid.to_string())
    }

    /// Returns whether the kernel has killed a process in the group because memory ran out.
    pub fn oom_killed(&self) -> bool {
        let file = match self.version {
            Version::V1 => "memory.oom_control",
            Version::V2 => "memory.events",
        };
        let text = fs::read_to_string(self.dir.join(file)).unwrap_or_default();
        let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        count.is_some_and(|count| count.trim() != "0")
    }

    /// Removes the group once it is empty.
    pub fn remove(&self) {
        remove_tree(&self.dir);
    }
}

fn write_if_there(path: &Path, value: &str) {
    if path.exists()
        && let Err(error) = fs::write(path, value)
    {
        tracing::debug!("write {value} to {}: {error}", path.display());
    }
}

fn remove_tree(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_tree(&entry.path());
        }
    }
    let _ = fs::remove_dir(dir);
}

/// Returns a number for the pid namespace of this process: containers that share a hierarchy have pids of their own.
fn pid_namespace() -> String {
    let link = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    link.to_string_lossy().chars().filter(char::is_ascii_digit).collect()
}

/// Removes the trees of dead processes, if those processes would be visible here.
fn sweep(parent: &Path, namespace: &str) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let whose = name.to_str().and_then(|name| name.strip_prefix("chartproof-")?.split_once('-'));
        let pid = whose.filter(|(_, theirs)| *theirs == namespace).and_then(|(pid, _)| pid.parse::<u32>().ok());
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists()) {
            remove_tree(&entry.path());
        }
    }
}

/// Finds the group in which this process may create its own, from `/proc/self/mountinfo` and `/proc/self/cgroup`.
fn find(mounts: &str, own: &str) -> Option<(PathBuf, Version)> {
    let mounts: Vec<MountLine> = mounts.lines().filter_map(MountLine::parse).collect();
    if let Some(memory) = mounts.iter().find(|mount| mount.kind == "cgroup" && mount.options.contains(&"memory")) {
        let path = own.lines().find_map(|line| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            controllers.split(',').any(|name| name == "memory").then_some(path)
        });
        let below = path.and_then(|path| path.strip_prefix(memory.root)).unwrap_or_default().trim_start_matches('/');
        let parent = memory.target.join(below);
        return Some((if parent.is_dir() { parent } else { memory.target.clone() }, Version::V1));
    }
    // A group that holds processes can't have limited children, except for the root group.
    let unified = mounts.into_iter().find(|mount| mount.kind == "cgroup2")?;
    Some((unified.target, Version::V2))
}

/// The parts of a line of `/proc/self/mountinfo` that matter here.
struct MountLine<'a> {
    root: &'a str,
    target: PathBuf,
    kind: &'a str,
    options: Vec<&'a str>,
}

impl<'a> MountLine<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (before, after) = line.split_once(" - ")?;
        let before: Vec<&str> = before.split(' ').collect();
        let after: Vec<&str> = after.split(' ').collect();
        Some(Self {
            root: before.get(3)?,
            target: PathBuf::from(before.get(4)?),
            kind: after.first()?,
            options: after.last()?.split(',').collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unified_hierarchy_is_used_from_its_root() {
        let mounts = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
        let found = find(mounts, "0::/user.slice/user-1000.slice\n");
        assert_eq!(found, Some((PathBuf::from("/sys/fs/cgroup"), Version::V2)));
    }

    #[test]
    fn a_memory_hierarchy_of_version_1_comes_first() {
        let mounts = "\
            40 23 0:30 / /nowhere/unified rw - cgroup2 cgroup2 rw\n\
            41 23 0:31 / /nowhere/cpu rw - cgroup cgroup rw,cpu\n\
            42 23 0:32 / /nowhere/memory rw - cgroup cgroup rw,memory\n";
        let found = find(mounts, "4:memory:/some/group\n0::/\n");
        assert_eq!(found, Some((PathBuf::from("/nowhere/memory"), Version::V1)), "its own group isn't visible there");
    }

    #[test]
    fn only_trees_whose_process_would_be_visible_are_swept() {
        let folder = tempfile::tempdir().unwrap();
        let ours = pid_namespace();
        let alive = format!("chartproof-{}-{ours}", std::process::id());
        for name in [&alive, &format!("chartproof-{}-{ours}", u32::MAX), &format!("chartproof-{}-1", u32::MAX)] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        sweep(folder.path(), &ours);
        let left = |name: &str| folder.path().join(name).exists();
        assert!(left(&alive) && left(&format!("chartproof-{}-1", u32::MAX)));
        assert!(!left(&format!("chartproof-{}-{ours}", u32::MAX)));
    }

    #[test]
    fn without_a_hierarchy_there_are_no_limits() {
        assert_eq!(find("22 1 0:20 / /proc rw - proc proc rw\n", "0::/\n"), None);
    }
}
