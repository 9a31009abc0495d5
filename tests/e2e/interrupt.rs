//! Ctrl-C, SIGTERM and SIGKILL in every stage of a run: evidence is kept, the cluster is deleted, the exit code tells
//! which signal it was; the next run sweeps what a killed run leaves.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::left::{leases, left_behind};
use crate::scene::{Ended, Scene, suite};

/// Long enough for a machine that compiles something meanwhile.
const PATIENCE: Duration = Duration::from_secs(300);
/// How often a test polls; the run needs the CPU more.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A stage of a run in which it is interrupted.
struct Stage {
    name: &'static str,
    /// The case to run.
    case: &'static str,
    /// Whether a run has reached the stage, by its events.
    begun: fn(&Scene, &str) -> bool,
}

const UNDER_LOAD: Stage =
    Stage { name: "under load", case: "r1::pod_kill", begun: |_, events| events.contains(r#""type":"fault""#) };

const STAGES: [Stage; 5] = [
    // The lease is written before anything is created.
    Stage { name: "creating", case: "r1::install", begun: |scene, _| !leases(scene).is_empty() },
    Stage { name: "loading", case: "r1::install", begun: |_, events| events.contains("loading images into the nodes") },
    Stage { name: "installing", case: "r1::install", begun: |_, events| started(events, "caesium::r1::install") },
    UNDER_LOAD,
    Stage { name: "deleting", case: "r1::install", begun: |_, events| started(events, "cluster::delete") },
];

fn started(events: &str, case: &str) -> bool {
    events.contains(&format!(r#""type":"case_started","case":"{case}""#))
}

/// Waits until a condition holds; a time-out names the condition.
fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "{what}: not within {} s", PATIENCE.as_secs());
        std::thread::park_timeout(LOOK_EVERY);
    }
}

/// Starts a run and sends it a signal once it has reached the stage.
fn signalled(scene: &Scene, stage: &Stage, signal: Signal) -> duct::Handle {
    let handle = scene.embedded(&[stage.case]).start().unwrap();
    let events = || std::fs::read_to_string(scene.report().join("events.jsonl")).unwrap_or_default();
    until(stage.name, || (stage.begun)(scene, &events()) || handle.try_wait().unwrap().is_some());
    send(&handle, signal);
    handle
}

fn send(handle: &duct::Handle, signal: Signal) {
    let pid = Pid::from_raw(handle.pids()[0].cast_signed()).unwrap();
    kill_process(pid, signal).unwrap();
}

fn interrupted(scene: &Scene, stage: &Stage, signal: Signal) -> Ended {
    let handle = signalled(scene, stage, signal);
    let output = handle.wait().unwrap();
    scene.ended(output.status.code())
}

fn collects_and_tears_down(signal: Signal, code: i32) {
    for stage in &STAGES {
        let scene = Scene::new();
        let ended = interrupted(&scene, stage, signal);
        let told = format!("{}: {}", stage.name, ended.told());
        assert_eq!(ended.code, code, "{told}");
        assert_eq!(ended.verdict("cluster::delete"), Some("passed"), "{told}");
        assert_eq!(left_behind(&scene), [""; 0], "{told}");
        for file in ["events.jsonl", "junit.xml", "report.html", "INDEX.txt", "commands"] {
            assert!(scene.report().join(file).exists(), "{file} is missing; {told}");
        }
        assert!(ended.events.last().unwrap()["exit_code"] == code, "{told}");
        the_reports_agree(&scene, &ended);
        if stage.name == UNDER_LOAD.name {
            the_state_is_kept(&scene, &ended);
        }
    }
}

/// Checks that `JUnit` and libtest's report count the cases equally.
fn the_reports_agree(scene: &Scene, ended: &Ended) {
    let junit = std::fs::read_to_string(scene.report().join("junit.xml")).unwrap();
    let count = |tag: &str| junit.matches(tag).count();
    let (failed, skipped) = (count("<failure ") + count("<error "), count("<skipped "));
    let counted = format!(" {failed} failed; {skipped} ignored;");
    assert!(ended.stdout.contains(&counted), "JUnit has{counted} {}\n{junit}", ended.told());
}

/// Checks that the state of the case under load at the interrupt is kept.
fn the_state_is_kept(scene: &Scene, ended: &Ended) {
    let case = "caesium::r1::pod_kill";
    assert!(ended.message(case).starts_with("interrupted; last seen: "), "{}", ended.told());
    let described = std::fs::read_to_string(scene.report().join("caesium-r1/failed/pod_kill/describe.txt")).unwrap();
    assert!(described.contains("StatefulSet/caesium: "), "{described}");
    assert!(std::fs::read_dir(scene.report().join("caesium-r1/logs")).unwrap().count() > 0, "logs are kept");
    let junit = std::fs::read_to_string(scene.report().join("junit.xml")).unwrap();
    assert!(junit.contains("evidence: caesium-r1/failed/pod_kill"), "{junit}");
}

#[test]
fn ctrl_c_collects_tears_down_and_ends_with_130() {
    collects_and_tears_down(Signal::INT, 130);
}

#[test]
fn sigterm_collects_tears_down_and_ends_with_143() {
    collects_and_tears_down(Signal::TERM, 143);
}

#[test]
fn a_closed_terminal_collects_tears_down_and_ends_with_143() {
    let scene = Scene::new();
    let ended = interrupted(&scene, &UNDER_LOAD, Signal::HUP);
    assert_eq!(ended.code, 143, "{}", ended.told());
    assert_eq!(ended.verdict("cluster::delete"), Some("passed"), "{}", ended.told());
    assert_eq!(left_behind(&scene), [""; 0], "{}", ended.told());
}

#[test]
fn a_run_under_nohup_continues_without_its_terminal() {
    let scene = Scene::new();
    let flags = scene.on_embedded();
    let words: Vec<_> = [env!("CARGO_BIN_EXE_chartproof"), "e2e", "cluster::create"].into_iter().collect();
    let words = [words, flags.iter().map(String::as_str).collect()].concat();
    let handle = scene.program("nohup", &words).stdout_null().stderr_null().start().unwrap();
    let events = || std::fs::read_to_string(scene.report().join("events.jsonl")).unwrap_or_default();
    until("creating", || started(&events(), "cluster::create"));
    send(&handle, Signal::HUP);
    assert_eq!(handle.wait().unwrap().status.code(), Some(0), "{}", events());
}

/// `… 2>&1 | tee log`: Ctrl-C also ends the reader of the run's output, and from then on every write of the run fails.
#[test]
fn ctrl_c_works_after_the_reader_of_the_output_is_gone() {
    let scene = Scene::new();
    let (reader, writer) = std::io::pipe().unwrap();
    let flags = scene.on_embedded();
    let words = [vec!["e2e", UNDER_LOAD.case], flags.iter().map(String::as_str).collect()].concat();
    // The process that started it holds the writer and has to end, too.
    let handle = scene.xtask(&words).stderr_to_stdout().stdout_file(writer).start().unwrap();
    let lines = BufReader::new(reader).lines().map_while(Result::ok);
    assert!(lines.take_while(|line| !line.contains(": fault: ")).count() > 0, "it printed something before the fault");
    send(&handle, Signal::INT);
    let output = handle.wait().unwrap();
    let ended = scene.ended(output.status.code());
    assert_eq!(ended.code, 130, "{}", ended.told());
    assert_eq!(ended.verdict("cluster::delete"), Some("passed"), "{}", ended.told());
    assert_eq!(left_behind(&scene), [""; 0], "{}", ended.told());
}

#[test]
fn a_second_signal_ends_the_run_at_once_and_names_what_is_left() {
    let scene = Scene::new();
    let handle = signalled(&scene, &UNDER_LOAD, Signal::INT);
    let told = || std::fs::read_to_string(scene.folder.path().join("stderr")).unwrap_or_default();
    until("the first signal is reported", || told().contains("interrupted: collecting evidence"));
    send(&handle, Signal::INT);
    let output = handle.wait().unwrap();
    let ended = scene.ended(output.status.code());
    assert_eq!(ended.code, 130, "{}", ended.told());
    let cluster = scene.report().join("cluster").display().to_string();
    assert!(ended.stderr.contains("exiting at once; left behind: embedded cluster in "), "{}", ended.told());
    assert!(ended.stderr.contains(&cluster) && ended.stderr.contains("xtask cluster sweep"), "{}", ended.told());
    assert!(ended.verdict("cluster::delete").is_none(), "it did not wait: {}", ended.told());
    until("its processes are gone", || !left_behind(&scene).iter().any(|left| left.starts_with("process")));
}

#[test]
fn the_next_run_sweeps_what_a_killed_run_leaves() {
    for stage in &STAGES {
        let scene = Scene::new();
        signalled(&scene, stage, Signal::KILL).wait().unwrap();
        // Nobody stops the node: it has to end by itself.
        until("no process is left", || !left_behind(&scene).iter().any(|left| left.starts_with("process")));
        let leased = !leases(&scene).is_empty();
        let again = run_again(&scene);
        let told = format!("{}: {}", stage.name, again.told());
        assert_eq!(again.code, 0, "{told}");
        assert_eq!(again.stderr.contains("swept embedded cluster in "), leased, "{told}");
        assert!(leased || stage.name == "deleting", "nothing was leased; {told}");
        assert_eq!(left_behind(&scene), [""; 0], "{told}");
        assert!(scene.report().join("events.jsonl").exists(), "evidence of the killed run stays; {told}");
    }
}

/// Starts another run of the same user, with a folder of its own: every run sweeps, regardless of its cases.
fn run_again(scene: &Scene) -> Ended {
    let folder = scene.folder.path().join("again");
    let flags = ["--suite", &suite().display().to_string(), "--cluster", "embedded", "--report-dir", &shown(&folder)];
    let output = scene.command(&[&flags, ["cluster::create"].as_slice()].concat()).run().unwrap();
    scene.ended(output.status.code())
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
