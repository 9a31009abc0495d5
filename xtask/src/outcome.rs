//! What came of the cases, and what that means for the report and the exit code.
//!
//! | what | in the report | exit code |
//! |---|---|---|
//! | passed | ok | 0 |
//! | failed | FAILED | 101 |
//! | did not run, its culprit is reported red | ignored, "not run: culprit" | 101 |
//! | did not run, its culprit is not reported | FAILED, "not run: culprit" | 101 |
//! | `cluster::create` failed | FAILED | 3 |
//! | the cluster went away, or its nodes can't become ready | "not run: how", but for the case that saw it | 3 |
//! | all passed, but a report could not be written | as above | 3 |
//! | has no meaning on this cluster | ignored, "not run: why" | 0 |
//! | interrupted by Ctrl-C, by SIGTERM | as above | 130, 143 |

use std::time::Duration;

use crate::events::{CaseName, Verdict};
use crate::exit::Exit;
use crate::interrupt::Signal;
use crate::phases::Phase;

/// What came of one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Its name.
    pub case: CaseName,
    /// What it was.
    pub phase: Phase,
    /// Its own time.
    pub took: Duration,
    /// What came of it.
    pub verdict: Verdict,
}

/// How a case stands in a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// Green.
    Passed,
    /// Red, with its message.
    Failed(String),
    /// Neither, with its reason: the culprit is red in the same report, or there was nothing to check.
    Ignored(String),
}

impl Outcome {
    fn is_red(&self) -> bool {
        matches!(self.verdict, Verdict::Failed { .. })
    }

    /// How the case stands in a report of all of these.
    pub fn shown(&self, all: &[Self]) -> Shown {
        match &self.verdict {
            Verdict::Passed { .. } => Shown::Passed,
            Verdict::Failed { message } => Shown::Failed(message.clone()),
            Verdict::NotApplicable { why } => Shown::Ignored(format!("not run: {why}")),
            Verdict::NotRun { culprit } => {
                let told = format!("not run: {culprit}");
                let reported = all.iter().any(|other| other.case == *culprit && other.is_red());
                if reported { Shown::Ignored(told) } else { Shown::Failed(told) }
            }
        }
    }
}

/// The exit code of a run.
pub fn exit(outcomes: &[Outcome], signal: Option<Signal>) -> Exit {
    let failed = |outcome: &Outcome| matches!(outcome.verdict, Verdict::Failed { .. } | Verdict::NotRun { .. });
    match signal {
        Some(Signal::Interrupt) => Exit::Interrupted,
        Some(Signal::Terminate) => Exit::Terminated,
        None if outcomes.iter().any(|outcome| outcome.phase == Phase::ClusterCreate && failed(outcome)) => {
            Exit::Environment
        }
        None if outcomes.iter().any(failed) => Exit::CaseFailed,
        None => Exit::Passed,
    }
}

/// The exit code of a run whose cluster may have been lost: what the cases say is not about the chart then.
pub fn with_cluster(exit: Exit, lost: Option<&str>) -> Exit {
    match (exit, lost) {
        (Exit::Passed | Exit::CaseFailed, Some(_)) => Exit::Environment,
        _ => exit,
    }
}

/// The exit code once the reports are written, or are not: a green run whose reports are missing is none for CI.
pub fn with_reports(exit: Exit, trouble: Option<&anyhow::Error>) -> Exit {
    let Some(error) = trouble else { return exit };
    eprintln!("the reports are incomplete: {error:#}");
    if exit == Exit::Passed { Exit::Environment } else { exit }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(case: &str, phase: Phase, verdict: Verdict) -> Outcome {
        Outcome { case: case.to_owned(), phase, took: Duration::ZERO, verdict }
    }

    fn passed() -> Verdict {
        Verdict::Passed { note: String::new() }
    }

    fn failed() -> Verdict {
        Verdict::Failed { message: "broken".to_owned() }
    }

    fn not_run(culprit: &str) -> Verdict {
        Verdict::NotRun { culprit: culprit.to_owned() }
    }

    #[test]
    fn a_blocked_case_is_ignored_only_beside_its_red_culprit() {
        let ready = outcome("c::r1::ready", Phase::Ready, failed());
        let health = outcome("c::r1::health", Phase::Health, not_run("c::r1::ready"));
        let ignored = Shown::Ignored("not run: c::r1::ready".to_owned());
        assert_eq!(health.shown(&[ready, health.clone()]), ignored);
        let alone = Shown::Failed("not run: c::r1::ready".to_owned());
        assert_eq!(health.shown(std::slice::from_ref(&health)), alone);
    }

    #[test]
    fn exit_codes_are_those_of_the_table() {
        let green = outcome("c::r1::ready", Phase::Ready, passed());
        let red = outcome("c::r1::ready", Phase::Ready, failed());
        let blocked = outcome("c::r1::ready", Phase::Ready, not_run("c::r1::install"));
        let no_cluster = outcome("cluster::create", Phase::ClusterCreate, failed());
        let dirty = outcome("cluster::delete", Phase::ClusterDelete, failed());
        assert_eq!(exit(std::slice::from_ref(&green), None), Exit::Passed);
        assert_eq!(exit(&[green.clone(), red.clone()], None), Exit::CaseFailed);
        assert_eq!(exit(&[blocked], None), Exit::CaseFailed);
        assert_eq!(exit(&[no_cluster, red], None), Exit::Environment);
        let elsewhere = Verdict::NotApplicable { why: "the cluster has one node".to_owned() };
        let elsewhere = outcome("c::r3::node_stop", Phase::NodeStop, elsewhere);
        assert_eq!(elsewhere.shown(&[]), Shown::Ignored("not run: the cluster has one node".to_owned()));
        assert_eq!(exit(&[green.clone(), elsewhere], None), Exit::Passed);
        assert_eq!(exit(&[green.clone(), dirty], None), Exit::CaseFailed, "a failed clean-up is red");
        assert_eq!(exit(std::slice::from_ref(&green), Some(Signal::Interrupt)), Exit::Interrupted);
        assert_eq!(exit(&[green], Some(Signal::Terminate)), Exit::Terminated);
        assert_eq!(with_cluster(Exit::CaseFailed, Some("gone")), Exit::Environment);
        assert_eq!(with_cluster(Exit::Interrupted, Some("gone")), Exit::Interrupted);
        assert_eq!(with_cluster(Exit::CaseFailed, None), Exit::CaseFailed);
        let full = anyhow::anyhow!("no space left on device");
        assert_eq!(with_reports(Exit::Passed, Some(&full)), Exit::Environment);
        assert_eq!(with_reports(Exit::CaseFailed, Some(&full)), Exit::CaseFailed, "the verdict stays");
        assert_eq!(with_reports(Exit::Passed, None), Exit::Passed);
    }
}
