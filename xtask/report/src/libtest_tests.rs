//! The exact output of the report, in libtest's format.

use std::io::Read;
use std::time::{Duration, Instant};

use libtest_mimic::FormatSetting;

use super::*;
use events::{Event, Verdict, What};

/// The cases that run.
const RUNNING: [&str; 7] = [
    "chart::template",
    "cluster::create",
    "images::load",
    "caesium::r1::install",
    "caesium::r1::ready",
    "caesium::r1::health",
    "cluster::delete",
];

/// The cases that don't run.
fn left_out() -> Vec<CaseName> {
    (1..=35).map(|number| format!("caesium::r3::case_{number}")).collect()
}

fn all() -> Vec<CaseName> {
    RUNNING.iter().map(|&name| name.to_owned()).chain(left_out()).collect()
}

/// Returns the events of a run in which one case failed, those that depend on it did not run, and the others passed.
fn events() -> Vec<Event> {
    let blocked_by = "caesium::r1::ready";
    let verdict = |name: &str| match name {
        "caesium::r1::ready" => {
            Verdict::Failed { message: "1 replicas ready: timed out after 9 s\n  event: Unhealthy".to_owned() }
        }
        "caesium::r1::health" => Verdict::NotRun { blocked_by: blocked_by.to_owned() },
        _ => Verdict::Passed { note: "a note".to_owned() },
    };
    let ended = |case: &str| What::CaseEnded { case: case.to_owned(), took_ms: 1000, verdict: verdict(case) };
    RUNNING.iter().map(|case| Event::new(Duration::from_secs(1), ended(case))).collect()
}

/// Returns the report, and the duration in it.
fn reported(format: Option<FormatSetting>, events: &[Event]) -> (String, f64) {
    let flags = Arguments { format, color: Some(ColorSetting::Never), ..Arguments::default() };
    let began = Instant::now();
    let mut report = Libtest::begin(&flags, &all(), left_out()).unwrap();
    // Its thread counts the time from its first line on.
    let mut text = vec![0];
    report.text.read_exact(&mut text).unwrap();
    std::thread::park_timeout(Duration::from_millis(30));
    report.print(&ReportedRun::of(events), &mut text).unwrap();
    assert!(began.elapsed() < Duration::from_secs(60));
    let text = String::from_utf8(text).unwrap();
    let at = text.find("finished in ").or_else(|| text.find("\"exec_time\": ")).unwrap() + 12;
    let number: String = text[at..].trim().chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    (text[..at].to_owned(), number.parse().unwrap_or_default())
}

fn printed(format: Option<FormatSetting>) -> String {
    let events = events();
    reported(format, &events).0
}

#[test]
fn pretty() {
    insta::assert_snapshot!(printed(None));
}

#[test]
fn terse() {
    insta::assert_snapshot!(printed(Some(FormatSetting::Terse)));
}

#[test]
fn json() {
    insta::assert_snapshot!(printed(Some(FormatSetting::Json)));
}

#[test]
fn the_duration_is_that_of_the_run() {
    let events = events();
    let (_, seconds) = reported(None, &events);
    assert!(seconds >= 0.03, "finished in {seconds} s, but the run took longer");
}

#[test]
fn a_closed_reader_is_an_error_and_not_a_panic() {
    struct Gone;
    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let report = Libtest::begin(&Arguments::default(), &all(), left_out()).unwrap();
    let error = report.print(&ReportedRun::of(&events()), &mut Gone).unwrap_err();
    assert!(format!("{error:#}").starts_with("printing libtest's report: "), "{error:#}");
}

#[test]
fn only_the_requested_cases_are_listed() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let logfile = Some(file.path().display().to_string());
    list(&Arguments { logfile, ..Arguments::default() }, &["caesium::r1::health".to_owned()]);
    assert_eq!(std::fs::read_to_string(file.path()).unwrap(), "caesium::r1::health: test\n");
}

#[test]
fn a_case_without_a_verdict_fails() {
    let events: Vec<_> = events().into_iter().take(1).collect();
    let (text, _) = reported(None, &events);
    assert!(text.contains("running 7 tests\n") && text.contains("35 filtered out"), "{text}");
    assert!(text.contains("no verdict") && text.contains("1 passed; 6 failed"), "{text}");
}
