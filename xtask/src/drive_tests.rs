//! Tests of the order of cases, blocked cases, parallel lanes and interrupts.

use std::path::Path;
use std::sync::{Arc, Mutex};

use super::*;
use crate::plan::Selection;
use events::Event;
use report::outcome;
use report::run::{CaseStatus, ReportedRun};
use suite::load;

/// Runs the repository's suite with a list of cases that fail.
struct Rehearsal {
    plan: Plan,
    failing: Vec<&'static str>,
    turns: Vec<BTreeSet<usize>>,
    cancel: CancellationToken,
    log: Mutex<Vec<String>>,
}

impl Rehearsal {
    fn of(words: &[&str], failing: &[&'static str]) -> Self {
        let suite =
            load::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../helm/caesium"), &crate::cases::kinds()).unwrap();
        let words = words.iter().map(ToString::to_string).collect();
        let plan = Plan::of(&[Arc::new(suite)], &Selection { words, ..Selection::default() }).unwrap();
        let (turns, cancel) = (Vec::new(), CancellationToken::new());
        Self { plan, failing: failing.to_vec(), turns, cancel, log: Mutex::default() }
    }

    fn log_line(&self, line: String) {
        self.log.lock().unwrap().push(line);
    }

    async fn run(&self, jobs: usize) -> Vec<Event> {
        let (events, mut receiver) = Events::channel();
        let drive = Drive {
            plan: &self.plan,
            jobs,
            turns: &self.turns,
            events: &events,
            cancel: &self.cancel,
            lost: &OnceLock::new(),
        };
        drive
            .run(async |case: &PlannedCase| {
                self.log_line(format!("begin {}", case.name));
                tokio::task::yield_now().await;
                self.log_line(format!("end {}", case.name));
                if self.failing.contains(&"interrupt") && case.name.ends_with("r1::health") {
                    self.cancel.cancel();
                }
                if self.failing.contains(&case.name.as_str()) {
                    return Verdict::Failed { message: "broken".to_owned() };
                }
                Verdict::Passed { note: String::new() }
            })
            .await;
        std::iter::from_fn(|| receiver.try_recv().ok()).collect()
    }
}

fn shown(events: &[Event], case: &str) -> CaseStatus {
    ReportedRun::of(events).cases.into_iter().find(|one| one.name == case).expect("the case ran").shown
}

fn not_run(blocked_by: &str) -> CaseStatus {
    CaseStatus::Skipped(format!("not run: {blocked_by}"))
}

#[tokio::test]
async fn a_run_passes_if_all_cases_pass() {
    let rehearsal = Rehearsal::of(&[], &[]);
    let events = rehearsal.run(9).await;
    let run = ReportedRun::of(&events);
    assert_eq!(run.cases.len(), rehearsal.plan.cases.len());
    assert!(run.cases.iter().all(|case| case.shown == CaseStatus::Passed));
    let log = rehearsal.log.into_inner().unwrap();
    assert_eq!(log.last().unwrap(), "end cluster::delete", "the teardown runs after all other cases");
}

#[tokio::test]
async fn a_case_that_depends_on_a_failed_case_does_not_run_and_names_it() {
    let events = Rehearsal::of(&[], &["caesium::r3::ready"]).run(9).await;
    for case in ["voters", "pod_kill_leader", "upgrade", "rollback"] {
        assert_eq!(shown(&events, &format!("caesium::r3::{case}")), not_run("caesium::r3::ready"), "{case}");
    }
    assert_eq!(shown(&events, "caesium::r3::uninstall"), CaseStatus::Passed, "the clean-up runs");
    assert_eq!(shown(&events, "caesium::r1::rollback"), CaseStatus::Passed, "another topology is not affected");
    assert_eq!(outcome::exit(&ReportedRun::of(&events), None), console::exit::Exit::CaseFailed);
}

#[tokio::test]
async fn a_failed_check_blocks_nothing_but_a_failed_disturbance_blocks_later_cases() {
    let events = Rehearsal::of(&[], &["caesium::r3::health", "caesium::r3::pod_kill_leader"]).run(9).await;
    assert_eq!(shown(&events, "caesium::r3::voters"), CaseStatus::Passed);
    assert_eq!(shown(&events, "caesium::r3::pod_kill_follower"), not_run("caesium::r3::pod_kill_leader"));
    assert_eq!(shown(&events, "caesium::r3::rollback"), not_run("caesium::r3::pod_kill_leader"));
    assert_eq!(shown(&events, "caesium::r3::uninstall"), CaseStatus::Passed);
}

#[tokio::test]
async fn a_cluster_that_is_not_created_blocks_all_cases_but_the_charts() {
    let events = Rehearsal::of(&[], &["cluster::create", "images::load"]).run(9).await;
    assert_eq!(shown(&events, "images::load"), not_run("cluster::create"), "it failed only because of that");
    assert_eq!(shown(&events, "caesium::r1::install"), not_run("cluster::create"));
    assert_eq!(shown(&events, "chart::lint"), CaseStatus::Passed);
    assert_eq!(outcome::exit(&ReportedRun::of(&events), None), console::exit::Exit::Environment);
}

#[tokio::test]
async fn only_the_teardown_runs_after_an_interrupt() {
    let rehearsal = Rehearsal::of(&["r1::"], &["interrupt"]);
    let events = rehearsal.run(1).await;
    let later = CaseStatus::Failed("not run: the interrupt".to_owned());
    assert_eq!(shown(&events, "caesium::r1::pod_kill"), later, "failed, since no other case is reported as failed");
    assert_eq!(shown(&events, "cluster::delete"), CaseStatus::Passed);
    let log = rehearsal.log.into_inner().unwrap();
    assert!(!log.iter().any(|line| line.contains("uninstall")), "the namespace goes with the cluster");
}

#[tokio::test]
async fn topologies_overlap_unless_there_is_one_job() {
    let overlaps = |log: &[String]| {
        let position = |line: &str| log.iter().position(|entry| entry == line).unwrap();
        position("begin caesium::r3::install") < position("end caesium::r1::uninstall")
    };
    let both = Rehearsal::of(&["r1::uninstall", "r3::install"], &[]);
    both.run(2).await;
    assert!(overlaps(&both.log.into_inner().unwrap()));
    let one = Rehearsal::of(&["r1::uninstall", "r3::install"], &[]);
    one.run(1).await;
    assert!(!overlaps(&one.log.into_inner().unwrap()));
}
