//! Checks the report against the common format of readers of `JUnit` files.

#[path = "../../../tests/formats/junit.rs"]
mod schema;

use std::time::Duration;

use super::*;

fn events() -> Vec<Event> {
    let case = |name: &str| format!("caesium::r1::{name}");
    let ended = |name: &str, took_ms, verdict| What::CaseEnded { case: case(name), took_ms, verdict };
    let what = [
        What::RunStarted {
            run_id: "0a1b2c3d".to_owned(),
            cluster: "embedded".to_owned(),
            image: "the stand-in".to_owned(),
            cases: ["install", "ready", "health", "voters"].map(case).to_vec(),
            began_unix_ms: 1_790_000_000_000,
            rerun_command: String::new(),
        },
        What::CaseStarted { case: case("install") },
        ended("install", 400, Verdict::Passed { note: "a < b & \u{1b}[31mred\u{1b}[0m".to_owned() }),
        What::CaseStarted { case: case("ready") },
        What::Evidence { case: case("ready"), path: "r1/failed/ready".to_owned() },
        ended("ready", 8490, Verdict::Failed { message: "\"<no>\" pod\nsecond line".to_owned() }),
        ended("health", 0, Verdict::NotRun { blocked_by: case("ready") }),
        What::CaseStarted { case: case("voters") },
    ];
    what.into_iter().zip(0..).map(|(what, at)| Event::new(Duration::from_secs(at), what)).collect()
}

#[test]
fn failed_blocked_and_interrupted_cases_are_counted() {
    let suite = &schema::check(&render(&events()).unwrap()).unwrap().children[0];
    let counts = ["tests", "failures", "skipped", "errors"].map(|name| suite.attributes[name].as_str());
    assert_eq!(counts, ["4", "1", "1", "1"], "a case that was cut short is an error");
    assert_eq!(suite.attributes["time"], "8.890", "the sum of its cases");
}

#[test]
fn a_case_has_its_time_its_message_and_its_evidence() {
    let suite = schema::check(&render(&events()).unwrap()).unwrap().children.remove(0);
    let case = |name: &str| suite.children.iter().find(|case| case.attributes["name"] == name).unwrap();
    let ready = case("ready");
    assert_eq!((ready.attributes["classname"].as_str(), ready.attributes["time"].as_str()), ("caesium::r1", "8.490"));
    assert!(ready.children[0].text.contains("evidence: r1/failed/ready"), "{ready:?}");
    assert_eq!(case("health").children[0].attributes["message"], "not run: caesium::r1::ready");
    assert_eq!(case("voters").children[0].attributes["message"], "cut short; last seen: nothing");
}

#[test]
fn a_case_that_an_interrupt_prevented_has_failed_as_in_libtest() {
    let mut events = events();
    let verdict = Verdict::NotRun { blocked_by: "the interrupt".to_owned() };
    let what = What::CaseEnded { case: "caesium::r1::voters".to_owned(), took_ms: 0, verdict };
    events.push(Event::new(Duration::from_secs(9), what));
    let suite = schema::check(&render(&events).unwrap()).unwrap().children.remove(0);
    let counts = ["tests", "failures", "skipped", "errors"].map(|name| suite.attributes[name].as_str());
    assert_eq!(counts, ["4", "2", "1", "0"]);
}

#[test]
fn invalid_junit_is_reported() {
    let good = render(&events()).unwrap();
    let wrong = |from: &str, to: &str| schema::check(&good.replacen(from, to, 1)).unwrap_err();
    assert_eq!(wrong("<skipped ", "<blocked "), "blocked in testcase");
    assert_eq!(wrong("time=\"8.490\"", "time=\"8\""), "testcase time=\"8\" is not a valid Seconds");
    assert_eq!(wrong(" classname=\"caesium::r1\"", ""), "testcase has no classname");
    assert_eq!(wrong(" classname=\"caesium::r1\"", " class=\"a\""), "testcase has no classname");
    assert_eq!(
        wrong("<skipped ", "<system-out>a</system-out><error message=\"a\"/><skipped "),
        "testcase has more than one of [\"failure\", \"error\", \"skipped\"]"
    );
    assert!(wrong("skipped=\"1\"", "skipped=\"0\"").ends_with("has skipped=0, but contains 1"));
    assert!(wrong("</testsuites>", "").contains("not every element is closed"));
}
