//! Exact output of the report, as libtest's own.

use std::path::Path;
use std::time::Duration;

use libtest_mimic::FormatSetting;

use super::*;
use crate::events::Verdict;
use crate::plan::Selection;
use crate::suite::load;

fn plan() -> Plan {
    let suite = load::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../helm/caesium")).unwrap();
    let selection = Selection { words: vec!["r1::health".to_owned()], ..Selection::default() };
    Plan::of(&[std::sync::Arc::new(suite)], &selection).unwrap()
}

/// One red case, those behind it not run, the others green.
fn outcomes(plan: &Plan) -> Vec<Outcome> {
    let culprit = "caesium::r1::ready";
    let verdict = |name: &str| match name {
        "caesium::r1::ready" => {
            Verdict::Failed { message: "1 replicas ready: not within 9 s\n  event: Unhealthy".to_owned() }
        }
        "caesium::r1::health" => Verdict::NotRun { culprit: culprit.to_owned() },
        _ => Verdict::Passed { note: "a note".to_owned() },
    };
    let outcome = |case: &crate::plan::Case| Outcome {
        case: case.name.clone(),
        phase: case.phase,
        took: Duration::from_secs(1),
        verdict: verdict(&case.name),
    };
    plan.running().map(|(_, case)| outcome(case)).collect()
}

fn printed(format: Option<FormatSetting>, print: impl FnOnce(&Arguments)) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    let logfile = Some(file.path().display().to_string());
    print(&Arguments { format, logfile, ..Arguments::default() });
    let text = std::fs::read_to_string(file.path()).unwrap();
    // The time that the report itself took.
    let time = text.find("finished in ").or_else(|| text.find("\"exec_time\": ")).map_or(text.len(), |at| at + 12);
    text[..time].to_owned()
}

#[test]
fn pretty() {
    let plan = plan();
    let outcomes = outcomes(&plan);
    insta::assert_snapshot!(printed(None, |flags| print(flags, &plan, &outcomes)));
}

#[test]
fn terse() {
    let plan = plan();
    let outcomes = outcomes(&plan);
    insta::assert_snapshot!(printed(Some(FormatSetting::Terse), |flags| print(flags, &plan, &outcomes)));
}

#[test]
fn json() {
    let plan = plan();
    let outcomes = outcomes(&plan);
    insta::assert_snapshot!(printed(Some(FormatSetting::Json), |flags| print(flags, &plan, &outcomes)));
}

#[test]
fn only_what_was_asked_for_is_listed() {
    let plan = plan();
    assert_eq!(printed(None, |flags| list(flags, &plan)), "caesium::r1::health: test\n");
}

#[test]
fn a_case_without_outcome_counts_as_left_out() {
    let plan = plan();
    let outcomes: Vec<_> = outcomes(&plan).into_iter().take(1).collect();
    let text = printed(None, |flags| print(flags, &plan, &outcomes));
    assert!(text.contains("running 1 test\n"), "{text}");
    assert!(text.contains("41 filtered out"), "{text}");
}
