//! Runs one row with the real binary, and compares which cases failed.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use events::{Event, Verdict, What};
use libtest_mimic::Failed;

use crate::beside::Beside;
use crate::matrix::{FIRST, Patch, Planted, Row, STARVED_S};
use crate::packaged::{self, Images};
use crate::table::Detection;

/// A case of the run, from its events.
struct Ended {
    name: String,
    took_ms: u64,
    verdict: Verdict,
}

/// Runs the row; an error lists the differences.
pub fn prove(row: &Row, images: &Images) -> Result<Vec<Detection>, Failed> {
    let folder = tempfile::tempdir()?;
    let beside = (!row.kind.is_empty() || row.existing).then(|| Beside::plays(row, folder.path()));
    let mut command = command(row, images, folder.path());
    if let Some(beside) = &beside {
        beside.prepare(&mut command, folder.path());
    }
    let output = command.output()?;
    drop(beside);
    let report = folder.path().join("report");
    let ended = ended(&report);
    let mut differences = differences(row, &output, &ended);
    differences.extend(row.faults.iter().flat_map(|fault| not_kept(&report, fault)));
    if differences.is_empty() {
        return Ok(detections(row, &ended));
    }
    let log = String::from_utf8_lossy(&output.stderr);
    let tail: Vec<_> = log.lines().rev().take(40).collect();
    let tail = tail.into_iter().rev().collect::<Vec<_>>().join("\n");
    Err(format!("{}\n\nwhat was printed last:\n{tail}", differences.join("\n")).into())
}

#[expect(clippy::disallowed_methods, reason = "the binary under test, waited for by the test runner's own time limit")]
fn command(row: &Row, images: &Images, folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chartproof"));
    let cluster = match row {
        Row { cluster: Some(cluster), .. } => cluster.as_str(),
        Row { existing: true, .. } => "context:chartproof",
        row if row.kind.is_empty() => "embedded",
        _ => "kind",
    };
    command.args(["e2e", "--cluster", cluster, "--exact"]).args(row.asked()).args(&row.flags);
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    command.arg("--report-dir").arg(folder.join("report"));
    for value in row.set.iter().cloned().chain(stand_in(row)) {
        command.arg("--set").arg(value);
    }
    command.envs(&row.env);
    if !row.embedded.is_empty() {
        command.env("CHARTPROOF_EMBEDDED_FAULTS", serde_json::to_string(&row.embedded).unwrap());
    }
    if let Some(image) = images.archive(row) {
        command.arg("--image").arg(image);
    }
    let suite = charts(row).join(&row.suite);
    let is_as_it_is = row.patch.is_empty() && row.draft.is_none();
    command.arg("--suite").arg(if is_as_it_is { suite } else { patched(row, folder) });
    command
}

/// Returns the folder of the row's suite and of all suites that it refers to.
fn charts(row: &Row) -> PathBuf {
    let charts = if packaged::has(row) { "../tests" } else { "../helm" };
    Path::new(env!("CARGO_MANIFEST_DIR")).join(charts)
}

/// Escapes commas, which end a value in `helm --set`.
fn stand_in(row: &Row) -> Vec<String> {
    let escaped = row.stand_in.as_ref().map(|faults| faults.replace(',', "\\,"));
    let set = |value| {
        let name = "config.extraEnv[0].name=STANDIN_FAULT".to_owned();
        vec![name, format!("config.extraEnv[0].value={value}")]
    };
    escaped.map(set).unwrap_or_default()
}

/// Copies all charts, since they refer to each other, applies the row's changes, and returns the suite's folder.
fn patched(row: &Row, folder: &Path) -> PathBuf {
    let copy = folder.join("helm");
    // An application's chart refers to no other, and the folder has more than charts.
    let only = if packaged::has(row) { row.suite.as_str() } else { "" };
    copy_folder(&charts(row).join(only), &copy.join(only));
    if !row.earlier.is_empty() {
        copy_folder(&charts(row).join(&row.suite), &copy.join("earlier"));
        apply(&row.earlier, &copy.join("earlier"));
    }
    if let Some(draft) = &row.draft {
        take(draft, &copy.join(&row.suite).join("e2e.toml"));
    }
    apply(&row.patch, &copy.join(&row.suite));
    copy.join(&row.suite)
}

/// Replaces a suite's tables by those that `cargo xtask init` writes as comments for a well-known image.
fn take(draft: &str, suite: &Path) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/cmd/init/known/{draft}.toml"));
    let draft = std::fs::read_to_string(file).unwrap();
    let mut tables: toml::Table = std::fs::read_to_string(suite).unwrap().parse().unwrap();
    draft.parse::<toml::Table>().unwrap().keys().for_each(|key| drop(tables.remove(key)));
    std::fs::write(suite, format!("{}\n{draft}", toml::to_string(&tables).unwrap())).unwrap();
}

fn apply(patches: &[Patch], folder: &Path) {
    for patch in patches {
        let file = folder.join(&patch.file);
        let text = match &patch.from {
            None => patch.to.clone(),
            Some(from) => {
                let text = std::fs::read_to_string(&file).unwrap();
                assert!(text.contains(from.as_str()), "{} has no {from:?} to patch", patch.file.display());
                text.replace(from, &patch.to)
            }
        };
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        let kind = entry.file_type().unwrap();
        if kind.is_symlink() {
            std::os::unix::fs::symlink(std::fs::read_link(entry.path()).unwrap(), target).unwrap();
        } else if kind.is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn ended(report: &Path) -> Vec<Ended> {
    let text = std::fs::read_to_string(report.join("events.jsonl")).unwrap_or_default();
    let events = text.lines().map(|line| serde_json::from_str::<Event>(line).unwrap());
    events
        .filter_map(|event| match event.what {
            What::CaseEnded { case, took_ms, verdict } => Some(Ended { name: case, took_ms, verdict }),
            _ => None,
        })
        .collect()
}

fn differences(row: &Row, output: &Output, ended: &[Ended]) -> Vec<String> {
    let mut found = Vec::new();
    let expected = row.exit.unwrap_or(if row.red().next().is_none() { 0 } else { 101 });
    if output.status.code() != Some(expected) {
        found.push(format!("ended with {}, not with exit code {expected}", output.status));
    }
    let is_red = |e: &Ended| matches!(e.verdict, Verdict::Failed { .. });
    let red: Vec<_> = ended.iter().filter(|e| is_red(e)).collect();
    let (mut names, mut wanted): (Vec<_>, Vec<_>) = (red.iter().map(|e| &e.name).collect(), row.red().collect());
    names.sort_unstable();
    wanted.sort_unstable();
    if names != wanted {
        found.push(format!("failed: {names:?}, expected: {wanted:?}"));
    }
    let said = match messages(&red) {
        said if said.is_empty() => String::from_utf8_lossy(&output.stderr).into_owned(),
        said => said.join("\n"),
    };
    for words in row.words.iter().filter(|words| !said.contains(words.as_str())) {
        found.push(format!("no message contains {words:?}: {said}"));
    }
    let first: String = said.chars().take(FIRST).collect();
    for words in row.first.iter().filter(|words| !first.contains(words.as_str())) {
        found.push(format!("the first {FIRST} characters do not contain {words:?}: {said}"));
    }
    for fault in &row.faults {
        let of_fault: Vec<_> = red.iter().copied().filter(|e| e.name == fault.red).collect();
        let said = messages(&of_fault).join("\n");
        for words in fault.words.iter().filter(|words| !said.contains(words.as_str())) {
            found.push(format!("{} does not contain {words:?}: {said}", fault.red));
        }
    }
    for case in row.asked().filter(|case| row.exit.is_none() && !ended.iter().any(|e| &e.name == *case)) {
        found.push(format!("{case} never ended"));
    }
    if let Some(limit_s) = row.within_s.map(|within_s| within_s + STARVED_S) {
        // If none has to fail, the requested cases may end without a verdict.
        let counts = |e: &&Ended| if red.is_empty() { row.asked().any(|case| *case == e.name) } else { is_red(e) };
        let late = ended.iter().filter(counts).filter(|e| e.took_ms > limit_s * 1000);
        found.extend(late.map(|e| format!("{} took {} ms to end, more than {limit_s} s", e.name, e.took_ms)));
    }
    found
}

/// Returns what is missing in the evidence of a fault.
fn not_kept(report: &Path, fault: &Planted) -> Vec<String> {
    let [suite, topology, case] = fault.red.split("::").collect::<Vec<_>>()[..] else { return Vec::new() };
    let path = report.join(format!("{suite}-{topology}/failed/{case}/describe.txt"));
    let described = std::fs::read_to_string(&path).unwrap_or_default();
    let missing = fault.evidence.iter().filter(|words| !described.contains(words.as_str()));
    missing.map(|words| format!("{} does not name {words:?}: {described}", path.display())).collect()
}

fn messages(red: &[&Ended]) -> Vec<String> {
    let message = |ended: &&Ended| match &ended.verdict {
        Verdict::Failed { message } => Some(message.clone()),
        _ => None,
    };
    red.iter().filter_map(message).collect()
}

/// Returns a line of the table for the row's first failed case, or one for each of its faults.
fn detections(row: &Row, ended: &[Ended]) -> Vec<Detection> {
    let red = |wanted: &dyn Fn(&Ended) -> bool| {
        ended.iter().find(|e| matches!(e.verdict, Verdict::Failed { .. }) && wanted(e))
    };
    if row.faults.is_empty() {
        return vec![detection(&row.name, red(&|_| true))];
    }
    row.faults.iter().map(|fault| detection(&fault.name, red(&|e| e.name == fault.red))).collect()
}

fn detection(name: &str, red: Option<&Ended>) -> Detection {
    let seconds = red.map(|red| format!("{}.{}", red.took_ms / 1000, red.took_ms % 1000 / 100));
    let said = messages(&red.into_iter().collect::<Vec<_>>()).concat();
    let sentence = said.lines().next().unwrap_or_default().to_owned();
    Detection { name: name.to_owned(), seconds: seconds.unwrap_or_default(), sentence }
}
