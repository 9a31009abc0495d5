//! Exact output of the report, as libtest's own.

use std::path::Path;
use std::time::{Duration, Instant};

use libtest_mimic::FormatSetting;

use super::*;
use crate::events::{Event, Verdict, What};
use crate::plan::Selection;
use crate::suite::load;

fn plan() -> Plan {
    let suite =
        load::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../helm/caesium"), &crate::cases::kinds()).unwrap();
    let selection = Selection { words: vec!["r1::health".to_owned()], ..Selection::default() };
    Plan::of(&[std::sync::Arc::new(suite)], &selection).unwrap()
}

/// One case failed, those behind it did not run, the others passed.
fn events(plan: &Plan) -> Vec<Event> {
    let culprit = "caesium::r1::ready";
    let verdict = |name: &str| match name {
        "caesium::r1::ready" => {
            Verdict::Failed { message: "1 replicas ready: not within 9 s\n  event: Unhealthy".to_owned() }
        }
        "caesium::r1::health" => Verdict::NotRun { culprit: culprit.to_owned() },
        _ => Verdict::Passed { note: "a note".to_owned() },
    };
    let ended = |case: &crate::plan::Case| What::CaseEnded {
        case: case.name.clone(),
        took_ms: 1000,
        verdict: verdict(&case.name),
    };
    plan.running().map(|(_, case)| Event::new(Duration::from_secs(1), ended(case))).collect()
}

/// The report, and the time that it says.
fn reported(format: Option<FormatSetting>, plan: &Plan, events: &[Event]) -> (String, f64) {
    let flags = Arguments { format, color: Some(ColorSetting::Never), ..Arguments::default() };
    let began = Instant::now();
    let report = Libtest::begin(&flags, plan).unwrap();
    std::thread::park_timeout(Duration::from_millis(30));
    let mut text = Vec::new();
    report.print(&Run::of(events), &mut text).unwrap();
    assert!(began.elapsed() < Duration::from_secs(60));
    let text = String::from_utf8(text).unwrap();
    let at = text.find("finished in ").or_else(|| text.find("\"exec_time\": ")).unwrap() + 12;
    let number: String = text[at..].trim().chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    (text[..at].to_owned(), number.parse().unwrap_or_default())
}

fn printed(format: Option<FormatSetting>) -> String {
    let plan = plan();
    let events = events(&plan);
    reported(format, &plan, &events).0
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
fn the_time_is_that_of_the_run() {
    let plan = plan();
    let events = events(&plan);
    let (_, seconds) = reported(None, &plan, &events);
    assert!(seconds >= 0.03, "finished in {seconds} s, though the run took longer");
}

#[test]
fn a_reader_that_is_gone_is_an_error_and_no_panic() {
    struct Gone;
    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let plan = plan();
    let report = Libtest::begin(&Arguments::default(), &plan).unwrap();
    let error = report.print(&Run::of(&events(&plan)), &mut Gone).unwrap_err();
    assert!(format!("{error:#}").starts_with("printing libtest's report: "), "{error:#}");
}

#[test]
fn only_what_was_asked_for_is_listed() {
    let (plan, file) = (plan(), tempfile::NamedTempFile::new().unwrap());
    let logfile = Some(file.path().display().to_string());
    list(&Arguments { logfile, ..Arguments::default() }, &plan);
    assert_eq!(std::fs::read_to_string(file.path()).unwrap(), "caesium::r1::health: test\n");
}

#[test]
fn a_case_without_a_verdict_fails() {
    let plan = plan();
    let events: Vec<_> = events(&plan).into_iter().take(1).collect();
    let (text, _) = reported(None, &plan, &events);
    assert!(text.contains("running 7 tests\n") && text.contains("35 filtered out"), "{text}");
    assert!(text.contains("it has no verdict") && text.contains("1 passed; 6 failed"), "{text}");
}
