//! The host's side of a case: starts the node, and looks for leftovers.

use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use libtest_mimic::Completion;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::NODE;
use crate::cases::lives::UNTIL_ASKED;
use crate::cases::process::EXIT_CODE;
use crate::node::NOT_RUN;

/// This program.
const OWN: &str = "/proc/self/exe";
/// A copy of it that every user may execute.
static COPY: OnceLock<String> = OnceLock::new();

const CGROUPS: &str = "/sys/fs/cgroup";

/// `nobody`.
const USER: &str = "65534";

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Root,
    User,
}

/// The line that a node prints if it runs until it is asked to end.
pub const READY: &str = "the node is ready";

/// How long a node's leftovers may take to disappear after its supervisor has ended.
const GONE_TIMEOUT: Duration = Duration::from_secs(10);

/// Ways to end a node from outside.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum End {
    Terminated,
    /// The pipe at its standard input closes, as if its starter were gone.
    Abandoned,
    Killed,
}

pub const ENDS: [(&str, End); 3] = [
    ("it_ends_when_asked", End::Terminated),
    ("it_ends_with_its_starter", End::Abandoned),
    ("it_dies_with_its_supervisor", End::Killed),
];

/// Ends a running node in one of the ways, and checks that nothing is left.
pub fn end(end: End, who: Who) -> Result<(), String> {
    let text = |error: io::Error| error.to_string();
    let dir = open_directory().map_err(text)?;
    let mut command = node_command(UNTIL_ASKED, dir.path(), who);
    let mut node = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(text)?;
    let mut printed = BufReader::new(node.stdout.take().ok_or("no output")?);
    let mut line = String::new();
    printed.read_line(&mut line).map_err(text)?;
    if line.trim() != READY {
        return Err(format!("it did not get ready: {line}"));
    }
    let pid = Pid::from_raw(node.id().cast_signed()).ok_or("no process")?;
    match end {
        End::Terminated => kill_process(pid, Signal::TERM).map_err(|error| error.to_string())?,
        End::Abandoned => drop(node.stdin.take()),
        End::Killed => kill_process(pid, Signal::KILL).map_err(|error| error.to_string())?,
    }
    // Closed by the last process of the node that has it open.
    printed.read_to_string(&mut line).map_err(text)?;
    let status = node.wait().map_err(text)?;
    if (end == End::Killed) == status.success() {
        return Err(format!("{status}: {line}"));
    }
    if end == End::Killed {
        gone(dir.path(), node.id(), &["process", "mount"])?;
        // Nobody was left to remove its memory cgroup: the next node does.
        run(EXIT_CODE, who)?;
        return gone(dir.path(), node.id(), &["process", "mount", CGROUPS]);
    }
    gone(dir.path(), node.id(), &[""])
}

/// If user namespaces are forbidden, a node names the setting that forbids them.
#[expect(clippy::disallowed_methods, reason = "the test starts nodes, as the harness does")]
pub fn refused() -> Result<(), String> {
    let dir = open_directory().map_err(|error| error.to_string())?;
    // A user namespace has limits of its own, and its root may lack capabilities.
    let script = "echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-all \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "sh", "-c", script, "sh"]);
    command.arg(COPY.get().map_or(OWN, String::as_str)).arg(NODE).arg(EXIT_CODE).arg(dir.path());
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let expected = "user.max_user_namespaces is 0; run `sysctl -w user.max_user_namespaces=15000` as root";
    if output.status.success() || !printed.contains(expected) {
        return Err(format!("{}: {printed}{}", output.status, String::from_utf8_lossy(&output.stderr)));
    }
    Ok(())
}

/// Waits until nothing of certain kinds is left.
fn gone(dir: &Path, supervisor: u32, kinds: &[&str]) -> Result<(), String> {
    let deadline = Instant::now() + GONE_TIMEOUT;
    loop {
        let mut left = left_behind(dir, supervisor);
        left.retain(|one| kinds.iter().any(|kind| one.starts_with(kind)));
        if left.is_empty() {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!("left behind: {}", left.join(", ")));
        }
        std::thread::yield_now();
    }
}

fn open_directory() -> io::Result<TempDir> {
    let dir = tempfile::tempdir()?;
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777))?;
    Ok(dir)
}

/// Runs a case in a node of its own; an error contains the node's output, or what it left behind.
pub fn run(case: &str, who: Who) -> Result<Completion, String> {
    let dir = open_directory().map_err(|error| error.to_string())?;
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
    let was_run = status.code() != Some(NOT_RUN.into());
    if was_run && !status.success() {
        return Err(format!("{status}: {printed}"));
    }
    let left = left_behind(dir.path(), supervisor);
    if !left.is_empty() {
        return Err(format!("left behind: {}", left.join(", ")));
    }
    Ok(if was_run { Completion::Completed } else { Completion::ignored_with(printed) })
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

/// Copies this program to where another user may execute it: a checkout may be inaccessible to others. Dropping the
/// returned directory removes it.
pub fn copy_program() -> io::Result<TempDir> {
    let dir = tempfile::tempdir()?;
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755))?;
    let copy = dir.path().join("containers");
    fs::copy(OWN, &copy)?;
    COPY.get_or_init(|| copy.display().to_string());
    Ok(dir)
}

/// Returns processes, mounts, interfaces, memory cgroups and files of a node that has ended.
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
    for cgroup in [CGROUPS, "/sys/fs/cgroup/memory"] {
        find_group(cgroup.as_ref(), &format!("chartproof-{supervisor}"), 3, &mut left);
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
