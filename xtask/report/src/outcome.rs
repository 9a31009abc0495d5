//! What came of a run, and what that means for its reports and the exit code.
//!
//! | what | libtest | `JUnit` | exit code |
//! |---|---|---|---|
//! | passed | ok | a test case | 0 |
//! | failed | FAILED | failure | 101 |
//! | did not run, and the case that it is blocked by failed in the same report | ignored, "not run: CASE" | skipped | 101 |
//! | did not run for another reason, as an interrupt | FAILED, "not run: why" | failure | 101 |
//! | has no verdict | FAILED, "cut short" | error | 101 |
//! | `cluster::create` failed | FAILED | failure | 3 |
//! | the cluster went away, or its nodes can't become ready | "not run: how", but for the case that saw it | as libtest | 3 |
//! | all passed, but a report could not be written | as above | as above | 3 |
//! | has no meaning on this cluster | ignored, "not run: why" | skipped | 0 |
//! | none of the selected cases has a meaning on this cluster | as above | as above | 3 |
//! | interrupted by Ctrl-C, by SIGTERM | as above | as above | 130, 143 |

use crate::run::{CaseStatus, ReportedCase, ReportedRun};
use console::exit::Exit;
use console::interrupt::Signal;

/// The case that fails where there is no cluster to check anything on.
const CLUSTER_CREATE: &str = "cluster::create";

/// Whether none of the selected cases was judged: whatever passed was only needed by them.
pub fn proves_nothing(run: &ReportedRun) -> bool {
    let is_selected = |case: &&ReportedCase| run.selected.is_empty() || run.selected.contains(case.name);
    !run.cases.iter().filter(is_selected).any(|case| !matches!(case.shown, CaseStatus::Skipped(_)))
}

/// The exit code of a run, as its events say. A run of which nothing is known proved nothing.
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

/// The exit code once something beside the cases went wrong: a passed run whose reports are missing is none for CI.
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
        assert_eq!(code(&[passed(ready), failed("cluster::delete")]), Exit::CaseFailed, "a failed clean-up is one");
        let begun = Event::new(Duration::ZERO, What::CaseStarted { case: "c::r1::health".to_owned() });
        assert_eq!(code(&[passed(ready), begun]), Exit::CaseFailed, "a case without a verdict");
        assert_eq!(code(&[]), Exit::Environment, "events that are lost prove nothing");
        let lost = Event::new(Duration::ZERO, What::ClusterLost { why: "gone".to_owned() });
        assert_eq!(code(&[lost, failed(ready)]), Exit::Environment, "what the cases say is not about the chart");
        let (green, interrupted) = ([passed(ready)], Some(Signal::Interrupt));
        assert_eq!(exit(&ReportedRun::of(&green), interrupted), Exit::Interrupted);
        assert_eq!(exit(&ReportedRun::of(&green), Some(Signal::Terminate)), Exit::Terminated);
    }

    #[test]
    fn trouble_beside_the_cases_leaves_their_verdict() {
        assert_eq!(despite(Exit::Passed, true), Exit::Environment);
        assert_eq!(despite(Exit::CaseFailed, true), Exit::CaseFailed);
        assert_eq!(despite(Exit::Passed, false), Exit::Passed);
    }
}
