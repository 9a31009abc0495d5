//! The host's side of a case: starts the node, and looks for what it left.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::NODE;

/// This program.
const OWN: &str = "/proc/self/exe";
/// A copy of it that every user may execute.
static COPY: OnceLock<String> = OnceLock::new();

/// `nobody`.
const USER: &str = "65534";

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Root,
    User,
}

/// Runs a case in a node of its own; an error tells what the node printed, or what it left behind.
pub fn run(case: &str, who: Who) -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).map_err(|error| error.to_string())?;
    let mut command = node_command(case, dir.path(), who);
    let mut node = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(|error| format!("start {command:?}: {error}"))?;
    let supervisor = node.id();
    let mut printed = String::new();
    if let Some(stdout) = &mut node.stdout {
        stdout.read_to_string(&mut printed).map_err(|error| error.to_string())?;
    }
    let status = node.wait().map_err(|error| error.to_string())?;
    if !status.success() {
        return Err(format!("{status}: {printed}"));
    }
    let left = left_behind(dir.path(), supervisor);
    if left.is_empty() { Ok(()) } else { Err(format!("left behind: {}", left.join(", "))) }
}

#[expect(clippy::disallowed_methods, reason = "the test starts nodes, as the harness does")]
pub fn node_command(case: &str, dir: &Path, who: Who) -> Command {
    let mut command;
    if who == Who::User && rustix::process::geteuid().is_root() {
        command = Command::new("setpriv");
        command.args(["--reuid", USER, "--regid", USER, "--clear-groups"]).arg(COPY.get().map_or(OWN, String::as_str));
    } else {
        command = Command::new(OWN);
    }
    command.arg(NODE).arg(case).arg(dir);
    command
}

/// Copies this program where another user may execute it: a checkout may be closed to others. The directory is gone
/// with the answer.
pub fn copy_program() -> io::Result<TempDir> {
    let dir = tempfile::tempdir()?;
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755))?;
    let copy = dir.path().join("containers");
    fs::copy(OWN, &copy)?;
    COPY.get_or_init(|| copy.display().to_string());
    Ok(dir)
}

/// Processes, mounts, interfaces, memory cgroups and files of a node that has ended.
fn left_behind(dir: &Path, supervisor: u32) -> Vec<String> {
    let mut left = Vec::new();
    let mark = format!("MARK={}", dir.display());
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let environment = fs::read(process.path().join("environ")).unwrap_or_default();
        if environment.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes()) {
            left.push(format!("process {}", process.path().display()));
        }
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    left.extend(
        mounts.lines().filter(|line| line.contains(&*dir.to_string_lossy())).map(|line| format!("mount {line}")),
    );
    if Path::new("/sys/class/net/pods").exists() {
        left.push("the bridge".into());
    }
    for cgroup in ["/sys/fs/cgroup", "/sys/fs/cgroup/memory"].map(Path::new) {
        find_group(cgroup, &format!("chartproof-{supervisor}"), 3, &mut left);
    }
    for kept in ["sandboxes", "containers"].map(|name| dir.join(name)) {
        left.extend(fs::read_dir(kept).into_iter().flatten().flatten().map(|file| file.path().display().to_string()));
    }
    left
}

fn find_group(dir: &Path, name: &str, depth: u32, left: &mut Vec<String>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_name() == name {
            left.push(entry.path().display().to_string());
        } else if depth > 0 && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            find_group(&entry.path(), name, depth - 1, left);
        }
    }
}
