//! The traces of a running cluster on its host: processes, namespaces, mounts, interfaces, cgroups, files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Two seconds for zombies, and several more for a busy machine.
const GONE_TIMEOUT: Duration = Duration::from_secs(10);
const NAMESPACES: [&str; 6] = ["user", "mnt", "net", "pid", "ipc", "uts"];

/// The traces of one cluster.
pub struct Traces {
    folder: String,
    /// Ids with start times: an id may be reused, but not within the same tick.
    processes: BTreeSet<(u32, String)>,
    /// `net:[4026532000]`, without those of the host; held open, so that no new namespace gets the number of a
    /// deleted one.
    namespaces: BTreeMap<PathBuf, File>,
    cgroups: BTreeSet<PathBuf>,
}

impl Traces {
    /// Returns the traces of a running process and its children.
    pub fn of(process: u32, folder: &Path) -> Self {
        let mut ids = BTreeSet::from([process]);
        // Children have greater ids than their parents unless the counter wraps: repeat until there is nobody new.
        loop {
            let new: Vec<u32> = all().filter(|id| parent(*id).is_some_and(|parent| ids.contains(&parent))).collect();
            let before = ids.len();
            ids.extend(new);
            if ids.len() == before {
                break;
            }
        }
        let own: BTreeSet<_> = namespaces(std::process::id()).collect();
        Self {
            folder: folder.display().to_string(),
            processes: ids.iter().filter_map(|id| Some((*id, started(*id)?))).collect(),
            namespaces: ids.iter().flat_map(|id| held(*id)).filter(|(one, _)| !own.contains(one)).collect(),
            cgroups: ids.iter().flat_map(|id| cgroups(*id)).collect(),
        }
    }

    /// Waits a bounded time until no trace is left.
    #[track_caller]
    pub fn are_gone(&self, when: &str) {
        assert!(self.namespaces.len() >= 5, "{when}: the namespaces were seen: {:?}", self.namespaces);
        let asked = Instant::now();
        loop {
            let left = self.left();
            if left.is_empty() {
                return;
            }
            assert!(asked.elapsed() < GONE_TIMEOUT, "{when}: left behind: {}", left.join(", "));
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// Returns what is left of it.
    pub fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        for (id, start) in &self.processes {
            if started(*id).as_ref() == Some(start) {
                left.push(format!("process {id}"));
            }
        }
        for id in all() {
            left.extend(
                namespaces(id)
                    .filter(|one| self.namespaces.contains_key(one))
                    .map(|one| format!("{id} in {}", one.display())),
            );
            let mounts = fs::read_to_string(format!("/proc/{id}/mountinfo")).unwrap_or_default();
            if mounts.contains(&self.folder) {
                left.push(format!("a mount of process {id}"));
            }
        }
        if Path::new("/sys/class/net/pods").exists() {
            left.push("the bridge".to_owned());
        }
        left.extend(self.cgroups.iter().filter(|one| one.exists()).map(|one| one.display().to_string()));
        left
    }
}

/// Returns every file below a folder, relative to it; empty folders don't count.
pub fn files(folder: &TempDir) -> Vec<String> {
    let mut found = Vec::new();
    collect(folder.path(), folder.path(), &mut found);
    found
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            collect(root, &entry.path(), found);
        } else {
            found.push(entry.path().strip_prefix(root).unwrap().display().to_string());
        }
    }
}

fn all() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// Returns the fields of `/proc/<id>/stat` after the name, which may contain spaces: state, parent, …
fn stat(id: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    Some(text.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
}

fn parent(id: u32) -> Option<u32> {
    stat(id)?.get(1)?.parse().ok()
}

fn started(id: u32) -> Option<String> {
    stat(id)?.get(19).cloned()
}

fn namespaces(id: u32) -> impl Iterator<Item = PathBuf> {
    NAMESPACES.into_iter().filter_map(move |name| fs::read_link(format!("/proc/{id}/ns/{name}")).ok())
}

fn held(id: u32) -> impl Iterator<Item = (PathBuf, File)> {
    NAMESPACES.into_iter().filter_map(move |name| {
        let file = File::open(format!("/proc/{id}/ns/{name}")).ok()?;
        let link = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()?;
        Some((link, file))
    })
}

/// Returns the run's own cgroups that a process is in.
fn cgroups(id: u32) -> Vec<PathBuf> {
    let text = fs::read_to_string(format!("/proc/{id}/cgroup")).unwrap_or_default();
    let paths = text.lines().filter_map(|line| line.splitn(3, ':').nth(2)).filter(|path| path.contains("chartproof-"));
    let both =
        |path: &str| ["/sys/fs/cgroup", "/sys/fs/cgroup/memory"].map(|root| PathBuf::from(format!("{root}{path}")));
    paths.flat_map(both).collect()
}
