//! The files in a run's folder: their index for users, and the lines of the container logs.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use chrono::DateTime;

use super::html::{Evidence, LogLine};

/// The file that a run keeps locked as long as it lives; it contains the process ID.
pub const LOCK: &str = "run.lock";
/// The index of the folder.
pub const INDEX: &str = "INDEX.txt";
/// The first part of the index, written at the start, so that it exists even if the run is killed.
const LAYOUT: &str = "\
A guide to the files of this run, written at its start. The list of all files is added at its end.

events.jsonl                    every event of the run, one JSON object per line (docs/events.md)
report.html, junit.xml          the reports
commands/                       every command line of a tool, with its output, exit status and duration
histories/                      client operations around faults; the subcommand `check FILE` checks one again
SUITE-TOPOLOGY/manifests.yaml   the manifests that helm renders; values.yaml contains the values
SUITE-TOPOLOGY/logs/            POD.UID.CONTAINER.RESTART.log: every container, including deleted ones
SUITE-TOPOLOGY/failed/CASE/     after a failure: describe.txt, every object of the namespace, the nodes
cluster-logs/                   after a failure: the cluster's own logs

Secrets are replaced by REDACTED. A truncated file ends with a line that says so.
";

/// How many of the newest lines of one log are read.
const LINES_MAX: usize = 1000;

/// Writes the first part of the index.
///
/// # Errors
/// If it can't be written.
pub fn begin_index(folder: &Path) -> std::io::Result<()> {
    fs::write(folder.join(INDEX), LAYOUT)
}

/// Completes the index with the list of all files.
///
/// # Errors
/// If it can't be written.
pub fn write_index(folder: &Path, files: &[Evidence]) -> std::io::Result<()> {
    let mut text = LAYOUT.to_owned();
    for group in files.chunk_by(|a, b| a.title == b.title) {
        let _ = writeln!(text, "\n{}:", group[0].title);
        for file in group {
            let _ = writeln!(text, "{:>10} bytes  {}", file.bytes, file.path);
        }
    }
    fs::write(folder.join(INDEX), text)
}

/// Returns all evidence files in the folder, by title. The cluster's own folder and its kubeconfig are not evidence.
pub fn list(folder: &Path) -> Vec<Evidence> {
    let mut paths = Vec::new();
    walk(folder, &mut paths);
    let evidence = paths.iter().filter_map(|path| {
        let relative = path.strip_prefix(folder).ok()?.to_string_lossy().into_owned();
        let bytes = fs::metadata(path).ok()?.len();
        Some(Evidence { title: title(&relative)?, path: relative, bytes })
    });
    let mut files: Vec<_> = evidence.collect();
    files.sort_by(|a, b| (&a.title, &a.path).cmp(&(&b.title, &b.path)));
    files
}

fn title(path: &str) -> Option<String> {
    let parts: Vec<_> = path.split('/').collect();
    match parts.as_slice() {
        ["cluster", ..] | ["kubeconfig" | "images.tar" | LOCK | INDEX] | [] => None,
        [_] => Some("reports".to_owned()),
        ["commands", _] => Some("tool commands".to_owned()),
        ["histories", _] => Some("client histories".to_owned()),
        ["cluster-logs", ..] => Some("cluster logs".to_owned()),
        [topology, "logs", _] => Some(format!("logs of {topology}")),
        [topology, "failed", case, ..] => Some(format!("state at the failure of {topology}::{case}")),
        [topology, ..] => Some(format!("manifests and values of {topology}")),
    }
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => walk(&entry.path(), found),
            Ok(kind) if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
}

/// Returns the newest lines of all container logs, with times since the start of the run at `began_unix_ms`.
pub fn logs(folder: &Path, files: &[Evidence], began_unix_ms: u64) -> Vec<LogLine> {
    files.iter().flat_map(|file| log(folder, &file.path, began_unix_ms).unwrap_or_default()).collect()
}

fn log(folder: &Path, path: &str, began_unix_ms: u64) -> Option<Vec<LogLine>> {
    let (topology, name) = path.split_once("/logs/")?;
    // POD.UID.CONTAINER.RESTART.log; only a pod's name can contain dots.
    let mut parts = name.strip_suffix(".log")?.rsplitn(4, '.');
    let (_restart, container, _uid, pod) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let source = format!("{pod}/{container}");
    let lines = BufReader::new(fs::File::open(folder.join(path)).ok()?).lines();
    let line = |line: String| {
        let (time, text) = line.split_once(' ')?;
        let at = u64::try_from(DateTime::parse_from_rfc3339(time).ok()?.timestamp_millis()).ok()?;
        let at_ms = at.saturating_sub(began_unix_ms);
        Some(LogLine { at_ms, topology: topology.to_owned(), source: source.clone(), text: text.to_owned() })
    };
    let mut lines: Vec<_> = lines.map_while(Result::ok).filter_map(line).collect();
    Some(lines.split_off(lines.len().saturating_sub(LINES_MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_times_are_relative_to_the_run_and_the_index_lists_every_file() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("r3/logs/caesium-0.8ab.caesium.1.log", "2026-11-21T05:00:01.5Z elected\nno time\n");
        write("r3/failed/ready/describe.txt", "Pod/caesium-0\n");
        write("cluster/kubeconfig", "token");
        write("kubeconfig", "token");
        let files = list(dir.path());
        let began = DateTime::parse_from_rfc3339("2026-11-21T05:00:00Z").unwrap().timestamp_millis();
        let logs = logs(dir.path(), &files, u64::try_from(began).unwrap());
        let [line] = logs.as_slice() else { panic!("{logs:?}") };
        assert_eq!((line.at_ms, line.topology.as_str(), line.source.as_str()), (1500, "r3", "caesium-0/caesium"));
        assert_eq!(line.text, "elected");
        write_index(dir.path(), &files).unwrap();
        let index = fs::read_to_string(dir.path().join(INDEX)).unwrap();
        assert!(index.contains("state at the failure of r3::ready:\n        14 bytes  r3/failed/ready/describe.txt"));
        assert!(!index.contains("kubeconfig"), "{index}");
    }
}
