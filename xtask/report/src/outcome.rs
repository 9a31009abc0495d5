//! The outcome of a run, and its effect on reports and the exit code.
//!
//! | outcome | libtest | `JUnit` | exit code |
//! |---|---|---|---|
//! | passed | ok | a test case | 0 |
//! | failed | FAILED | failure | 101 |
//! | did not run, because a case in the same report failed | ignored, "not run: CASE" | skipped | 101 |
//! | did not run for another reason, such as an interrupt | FAILED, "not run: why" | failure | 101 |
//! | has no verdict | FAILED, "cut short" | error | 101 |
//! | `cluster::create` failed | FAILED | failure | 3 |
//! | the cluster went away, or its nodes can't become ready | "not run: how", except the case that saw it | as libtest | 3 |
//! | all passed, but a report could not be written | as above | as above | 3 |
//! | does not apply to this cluster | ignored, "not run: why" | skipped | 0 |
//! | none of the selected cases applies to this cluster | as above | as above | 3 |
//! | interrupted by Ctrl-C, by SIGTERM | as above | as above | 130, 143 |

use crate::run::{CaseStatus, ReportedCase, ReportedRun};
use console::exit::Exit;
use console::interrupt::Signal;

/// The case that fails if there is no cluster.
const CLUSTER_CREATE: &str = "cluster::create";

/// Returns whether none of the selected cases was judged: only their dependencies have passed.
pub fn proves_nothing(run: &ReportedRun) -> bool {
    let is_selected = |case: &&ReportedCase| run.selected.is_empty() || run.selected.contains(case.name);
    !run.cases.iter().filter(is_selected).any(|case| !matches!(case.shown, CaseStatus::Skipped(_)))
}

/// Returns the exit code of a run from its events. A run without events proves nothing.
pub fn exit(run: &ReportedRun, signal: Option<Signal>) -> Exit {
    let failed = |case: &ReportedCase| !matches!(case.shown, CaseStatus::Passed | CaseStatus::Skipped(_));
    match signal {
        Some(Signal::Interrupt) => Exit::Interrupted,
        Some(Signal::Terminate) => Exit::Terminated,
        None if run.lost.is_some() => Exit::Environment,
        None if run.cases.iter().any(|case| case.name == CLUSTER_CREATE && failed(case)) => Exit::Environment,
        None if run.cases.iter().any(failed) => Exit::CaseFailed,
        None if proves_nothing(run) => Exit::Environment,
        None => Exit::Passed,
    }
}

/// Returns the exit code after problems other than failed cases: without its reports, a passed run is no use to CI.
pub fn despite(exit: Exit, trouble: bool) -> Exit {
    if trouble && exit == Exit::Passed { Exit::Environment } else { exit }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use events::{Event, Verdict, What};

    fn ended(case: &str, verdict: Verdict) -> Event {
        Event::new(Duration::ZERO, What::CaseEnded { case: case.to_owned(), took_ms: 0, verdict })
    }

    fn passed(case: &str) -> Event {
        ended(case, Verdict::Passed { note: String::new() })
    }

    fn failed(case: &str) -> Event {
        ended(case, Verdict::Failed { message: "broken".to_owned() })
    }

    fn not_run(case: &str, blocked_by: &str) -> Event {
        ended(case, Verdict::NotRun { blocked_by: blocked_by.to_owned() })
    }

    fn code(events: &[Event]) -> Exit {
        exit(&ReportedRun::of(events), None)
    }

    #[test]
    fn exit_codes_are_those_of_the_table() {
        let ready = "c::r1::ready";
        assert_eq!(code(&[passed(ready)]), Exit::Passed);
        assert_eq!(code(&[passed("c::r1::install"), failed(ready)]), Exit::CaseFailed);
        assert_eq!(code(&[not_run(ready, "the interrupt")]), Exit::CaseFailed);
        assert_eq!(code(&[failed("cluster::create"), not_run(ready, "cluster::create")]), Exit::Environment);
        let elsewhere = || {
            let why = "the cluster has one node".to_owned();
            ended("c::r3::node_stop", Verdict::NotApplicable { why })
        };
        assert_eq!(code(&[passed(ready), elsewhere()]), Exit::Passed);
        let alone = Event::new(Duration::ZERO, What::Selected { cases: vec!["c::r3::node_stop".to_owned()] });
        let unjudged = code(&[alone, passed(ready), elsewhere()]);
        assert_eq!(unjudged, Exit::Environment, "only what it needs passed");
        assert_eq!(
            code(&[passed(ready), failed("cluster::delete")]),
            Exit::CaseFailed,
            "a failed clean-up is a failed case"
        );
        let begun = Event::new(Duration::ZERO, What::CaseStarted { case: "c::r1::health".to_owned() });
        assert_eq!(code(&[passed(ready), begun]), Exit::CaseFailed, "a case without a verdict");
        assert_eq!(code(&[]), Exit::Environment, "lost events prove nothing");
        let lost = Event::new(Duration::ZERO, What::ClusterLost { why: "gone".to_owned() });
        assert_eq!(code(&[lost, failed(ready)]), Exit::Environment, "the verdicts are not about the chart");
        let (passed_run, interrupted) = ([passed(ready)], Some(Signal::Interrupt));
        assert_eq!(exit(&ReportedRun::of(&passed_run), interrupted), Exit::Interrupted);
        assert_eq!(exit(&ReportedRun::of(&passed_run), Some(Signal::Terminate)), Exit::Terminated);
    }

    #[test]
    fn other_problems_keep_the_verdict_of_the_cases() {
        assert_eq!(despite(Exit::Passed, true), Exit::Environment);
        assert_eq!(despite(Exit::CaseFailed, true), Exit::CaseFailed);
        assert_eq!(despite(Exit::Passed, false), Exit::Passed);
    }
}
