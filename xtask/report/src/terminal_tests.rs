//! Tests of the lines on a pipe and of the summary.

use std::time::Duration;

use super::*;

/// Returns the events of a run with a passed, a failed and a blocked case.
fn events() -> Vec<Event> {
    let at = |ms, what| Event::new(Duration::from_millis(ms), what);
    let case = |name: &str| format!("caesium::r1::{name}");
    let started = What::RunStarted {
        run_id: "0a1b2c3d".to_owned(),
        cluster: "the embedded cluster".to_owned(),
        image: "the stand-in (chartproof/stand-in:dev)".to_owned(),
        cases: ["install", "ready", "health"].map(case).to_vec(),
        began_unix_ms: 1_790_000_000_000,
        rerun_command: "cargo xtask e2e --cluster embedded".to_owned(),
    };
    let message = "Pod/caesium-0 can't start: container caesium ended 3 times\n  event: BackOff x3: back-off\n";
    let ended = |name, took_ms, verdict| What::CaseEnded { case: case(name), took_ms, verdict };
    vec![
        at(0, started),
        at(100, What::CaseStarted { case: case("install") }),
        at(500, ended("install", 400, Verdict::Passed { note: "namespace chartproof-r1-0a1b2c3d".to_owned() })),
        at(510, What::CaseStarted { case: case("ready") }),
        at(600, What::Waiting { case: case("ready"), state: "1 replicas ready: 0/1 ready".to_owned() }),
        at(9000, ended("ready", 8490, Verdict::Failed { message: message.to_owned() })),
        at(9001, ended("health", 0, Verdict::NotRun { blocked_by: case("ready") })),
        at(9100, What::RunEnded { took_ms: 9100, exit_code: 101 }),
    ]
}

#[test]
fn a_pipe_gets_plain_lines() {
    insta::assert_snapshot!(events().iter().filter_map(line).collect::<Vec<_>>().join("\n"));
}

#[test]
fn the_summary_begins_with_the_first_failure_and_ends_with_the_evidence() {
    insta::assert_snapshot!(summary(&events(), "target/chartproof/0a1b2c3d"));
}

#[test]
fn what_does_not_run_is_reported_at_the_start_and_at_the_end() {
    let what = "left out by --replicas 1: caesium::r3 (3)";
    let left_out = Event::new(Duration::ZERO, What::LeftOut { what: what.to_owned() });
    assert!(line(&left_out).unwrap().ends_with(what));
    let events = [events(), vec![left_out]].concat();
    assert!(summary(&events, "target/run").contains(&format!("\n{what}\nevidence: ")));
}

#[test]
fn junit_has_every_case_with_its_time_and_message() {
    insta::assert_snapshot!(super::super::junit::render(&events()).unwrap());
}

#[test]
fn a_run_that_was_cut_short_is_an_error_in_junit() {
    let junit = super::super::junit::render(&events()[..5]).unwrap();
    assert!(junit.contains("errors=\"2\""), "{junit}");
    assert!(junit.contains("cut short; last seen: 1 replicas ready: 0/1 ready"), "{junit}");
}

#[test]
fn every_event_is_a_line_of_json_that_reads_back() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut json = super::super::json::Json::create(file.path()).unwrap();
    for event in events() {
        json.add(&event).unwrap();
    }
    let text = std::fs::read_to_string(file.path()).unwrap();
    insta::assert_snapshot!(text);
    let read: Vec<Event> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(read.len(), events().len());
}

#[tokio::test]
async fn a_full_disk_costs_the_reports_but_not_the_verdict() {
    let folder = tempfile::tempdir().unwrap();
    // Every write to this device fails as on a full disk.
    std::os::unix::fs::symlink("/dev/full", folder.path().join("events.jsonl")).unwrap();
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    let reports = super::super::Reports::start(folder.path(), receiver).unwrap();
    let mut sent = events();
    let last = sent.pop().unwrap();
    for event in sent {
        sender.send(event).unwrap();
    }
    let mut report = reports.ended(|_| last).await;
    report.write(folder.path(), None);
    assert_eq!(report.events.len(), events().len());
    let trouble = format!("{:#}", report.trouble.unwrap());
    assert!(trouble.starts_with("writing events.jsonl: No space left on device"), "{trouble}");
    assert!(folder.path().join("junit.xml").exists());
}
