//! The run as `JUnit`: one test suite per topology, with the cases and their durations.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use quick_xml::events::{BytesStart, Event as XmlEvent};
use quick_xml::{Reader, Writer};

use super::run::{CaseStatus, ReportedCase, ReportedRun};
use events::{Event, Verdict, What};

/// The tag around all suites.
const SUITES: &str = "testsuites";

/// Renders a run.
///
/// # Errors
/// If it can't be written as XML.
pub fn render(events: &[Event]) -> anyhow::Result<String> {
    let run = ReportedRun::of(events);
    let took = times(events);
    let mut report = Report::new("chartproof");
    report.set_time(Duration::from_millis(run.took_ms));
    let mut suites: Vec<TestSuite> = Vec::new();
    for case in &run.cases {
        let (group, name) = case.name.rsplit_once("::").unwrap_or(("", case.name));
        let mut test = TestCase::new(name, status(case));
        test.set_classname(group);
        test.set_time(took.get(case.name).copied().unwrap_or_default());
        if let Some((_, Verdict::Passed { note })) = case.end.filter(|(_, verdict)| **verdict != empty()) {
            test.set_system_out(note.as_str());
        }
        if !suites.iter().any(|suite| suite.name.as_str() == group) {
            suites.push(TestSuite::new(group));
        }
        if let Some(suite) = suites.iter_mut().find(|suite| suite.name.as_str() == group) {
            suite.add_test_case(test);
        }
    }
    for suite in &mut suites {
        let time = suite.test_cases.iter().filter_map(|case| case.time).sum();
        suite.set_time(time);
    }
    report.add_test_suites(suites);
    let xml = report.to_string().context("writing the run as JUnit")?;
    without_total_skipped(&xml)
}

/// Removes `skipped` from `testsuites`: readers that follow Jenkins' schema know it only for a single suite.
fn without_total_skipped(xml: &str) -> anyhow::Result<String> {
    let (mut reader, mut writer) = (Reader::from_str(xml), Writer::new(Vec::new()));
    loop {
        match reader.read_event()? {
            XmlEvent::Eof => break,
            XmlEvent::Start(tag) if tag.name().as_ref() == SUITES.as_bytes() => {
                let kept = tag.attributes().filter_map(Result::ok).filter(|one| one.key.as_ref() != b"skipped");
                writer.write_event(XmlEvent::Start(BytesStart::new(SUITES).with_attributes(kept)))?;
            }
            other => writer.write_event(other)?,
        }
    }
    Ok(String::from_utf8(writer.into_inner())?)
}

fn empty() -> Verdict {
    Verdict::Passed { note: String::new() }
}

/// Returns a case's status. A case without a verdict is an error, not a success.
fn status(case: &ReportedCase) -> TestCaseStatus {
    match &case.shown {
        CaseStatus::Passed => TestCaseStatus::success(),
        CaseStatus::Failed(message) => failure(message, case.evidence),
        CaseStatus::Skipped(why) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(why.as_str());
            status
        }
        CaseStatus::CutShort(last) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_message(last.as_str());
            status
        }
    }
}

fn failure(message: &str, evidence: Option<&str>) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    let evidence = evidence.map(|path| format!("\nevidence: {path}")).unwrap_or_default();
    status.set_message(message.lines().next().unwrap_or_default()).set_description(format!("{message}{evidence}"));
    status
}

fn times(events: &[Event]) -> BTreeMap<&str, Duration> {
    let ended = events.iter().filter_map(|event| match &event.what {
        What::CaseEnded { case, took_ms, .. } => Some((case.as_str(), Duration::from_millis(*took_ms))),
        _ => None,
    });
    ended.collect()
}

#[cfg(test)]
#[path = "junit_tests.rs"]
mod tests;
