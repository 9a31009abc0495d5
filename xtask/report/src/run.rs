//! A run, collected from its events, for the reports that show it as a whole.

use std::collections::{BTreeMap, BTreeSet};

use events::{Event, Verdict, What};

/// Returns the suite and topology in a case's name, or the group of a case without a topology: `caesium::r3`, `cluster`.
pub fn group(case: &str) -> &str {
    case.rsplit_once("::").map_or(case, |(group, _)| group)
}

/// A run, complete or cut short.
#[derive(Debug, Default)]
pub struct ReportedRun<'a> {
    /// The run's ID.
    pub run_id: &'a str,
    /// `kind`, `embedded` or `context:NAME`.
    pub cluster: &'a str,
    /// The image under test.
    pub image: &'a str,
    /// The selected cases in order, with their results.
    pub cases: Vec<ReportedCase<'a>>,
    /// The requested cases, without those that run because these depend on them. Empty if all were requested.
    pub selected: BTreeSet<&'a str>,
    /// Why the cluster was lost, if that ended the run.
    pub lost: Option<&'a str>,
    /// What does not run of the selected suites, and the flag that excludes it.
    pub left_out: Vec<&'a str>,
    /// The command that repeats the run.
    pub rerun_command: &'a str,
    /// The start of the run, in milliseconds since 1970.
    pub began_unix_ms: u64,
    /// The time of the last event.
    pub took_ms: u64,
    /// None if the run was cut short.
    pub exit_code: Option<i32>,
}

/// A case's status in every report: see the table in [`crate::outcome`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaseStatus {
    /// The property was checked and holds.
    Passed,
    /// The property does not hold, or could not be checked, with the message.
    Failed(String),
    /// Nothing was checked, with the reason: a case on which it depends failed in the same report, or it does not apply.
    Skipped(String),
    /// It has no verdict, with what it was last seen doing.
    CutShort(String),
}

/// A case, collected from its events.
#[derive(Debug)]
pub struct ReportedCase<'a> {
    /// `caesium::r3::ready`.
    pub name: &'a str,
    /// When it started; none if it never did.
    pub start_ms: Option<u64>,
    /// When it ended, and how; none if it never did.
    pub end: Option<(u64, &'a Verdict)>,
    /// What it was last waiting for.
    pub waiting: Option<&'a str>,
    /// Its evidence, relative to the run's directory.
    pub evidence: Option<&'a str>,
    /// Its status in reports.
    pub shown: CaseStatus,
}

impl<'a> ReportedCase<'a> {
    /// Returns the suite and topology of a case, or the group of a case without a topology: `caesium::r3`, `cluster`.
    pub fn group(&self) -> &'a str {
        group(self.name)
    }

    /// Returns the last part of its name.
    pub fn short(&self) -> &'a str {
        self.name.rsplit_once("::").map_or(self.name, |(_, short)| short)
    }

    /// Returns whether it failed or was cut short.
    pub fn is_failure(&self) -> bool {
        match self.shown {
            CaseStatus::Failed(_) => true,
            CaseStatus::CutShort(_) => self.start_ms.is_some(),
            CaseStatus::Passed | CaseStatus::Skipped(_) => false,
        }
    }

    /// Returns whether it passed.
    pub fn has_passed(&self) -> bool {
        self.shown == CaseStatus::Passed
    }

    fn has_failed(&self) -> bool {
        matches!(self.end, Some((_, Verdict::Failed { .. })))
    }

    fn shown(&self, failed: &BTreeSet<&str>) -> CaseStatus {
        match self.end.map(|(_, verdict)| verdict) {
            Some(Verdict::Passed { .. }) => CaseStatus::Passed,
            Some(Verdict::Failed { message }) => CaseStatus::Failed(message.clone()),
            Some(Verdict::NotApplicable { why }) => CaseStatus::Skipped(format!("not run: {why}")),
            Some(Verdict::NotRun { blocked_by }) if failed.contains(blocked_by.as_str()) => {
                CaseStatus::Skipped(format!("not run: {blocked_by}"))
            }
            Some(Verdict::NotRun { blocked_by }) => CaseStatus::Failed(format!("not run: {blocked_by}")),
            None => CaseStatus::CutShort(format!("cut short; last seen: {}", self.waiting.unwrap_or("nothing"))),
        }
    }
}

impl<'a> ReportedRun<'a> {
    /// Collects the events of one run.
    pub fn of(events: &'a [Event]) -> Self {
        let mut run = Self::default();
        let mut index = BTreeMap::new();
        for event in events {
            run.took_ms = run.took_ms.max(event.at_ms);
            run.add(event, &mut index);
        }
        let failed = run.cases.iter().filter(|case| case.has_failed()).map(|case| case.name).collect();
        for case in &mut run.cases {
            case.shown = case.shown(&failed);
        }
        run
    }

    /// Returns the failed case that ended first, most likely the cause of other failures.
    pub fn first_cause(&self) -> Option<(&ReportedCase<'a>, &'a str)> {
        let failed = self.cases.iter().filter_map(|case| match case.end {
            Some((at_ms, Verdict::Failed { message })) => Some((at_ms, case, message.as_str())),
            _ => None,
        });
        failed.min_by_key(|(at_ms, ..)| *at_ms).map(|(_, case, message)| (case, message))
    }

    /// Returns the group of a topology by its label: `caesium::r3` for `caesium-r3`.
    pub fn group_with(&self, label: &str) -> String {
        let of = |case: &&ReportedCase| case.group().replace("::", "-") == label;
        self.cases.iter().find(of).map_or(label, |case| case.group()).to_owned()
    }

    /// Returns the group of a namespace of the run: `caesium::r3` for `chartproof-caesium-r3-RUN` and
    /// `chartproof-caesium-r3-RUN-PART`.
    pub fn group_of(&self, namespace: &str) -> String {
        let own = namespace.strip_prefix("chartproof-").and_then(|rest| rest.split_once(&format!("-{}", self.run_id)));
        own.map_or_else(|| namespace.to_owned(), |(label, _)| self.group_with(label))
    }

    fn add(&mut self, event: &'a Event, index: &mut BTreeMap<&'a str, usize>) {
        match &event.what {
            What::RunStarted { run_id, cluster, image, cases, began_unix_ms, rerun_command } => {
                self.rerun_command = rerun_command;
                (self.run_id, self.cluster, self.image) = (run_id, cluster, image);
                self.began_unix_ms = *began_unix_ms;
                for name in cases {
                    self.case(name, index);
                }
            }
            What::CaseStarted { case } => self.case(case, index).start_ms = Some(event.at_ms),
            What::Waiting { case, state } => self.case(case, index).waiting = Some(state),
            What::CaseEnded { case, verdict, .. } => self.case(case, index).end = Some((event.at_ms, verdict)),
            What::Evidence { case, path } => self.case(case, index).evidence = Some(path),
            What::Selected { cases } => self.selected.extend(cases.iter().map(String::as_str)),
            What::ClusterLost { why } => self.lost = Some(why),
            What::LeftOut { what } => self.left_out.push(what),
            What::RunEnded { exit_code, .. } => self.exit_code = Some(*exit_code),
            _ => {}
        }
    }

    fn case(&mut self, name: &'a str, index: &mut BTreeMap<&'a str, usize>) -> &mut ReportedCase<'a> {
        let at = *index.entry(name).or_insert_with(|| {
            let shown = CaseStatus::CutShort(String::new());
            self.cases.push(ReportedCase { name, start_ms: None, end: None, waiting: None, evidence: None, shown });
            self.cases.len() - 1
        });
        &mut self.cases[at]
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn ended(case: &str, verdict: Verdict) -> Event {
        Event::new(Duration::ZERO, What::CaseEnded { case: case.to_owned(), took_ms: 0, verdict })
    }

    fn blocked(blocked_by: &str) -> Event {
        ended("c::r1::health", Verdict::NotRun { blocked_by: blocked_by.to_owned() })
    }

    #[test]
    fn a_blocked_case_is_skipped_only_beside_the_failure_that_blocks_it() {
        let ready = ended("c::r1::ready", Verdict::Failed { message: "broken".to_owned() });
        let skipped = CaseStatus::Skipped("not run: c::r1::ready".to_owned());
        assert_eq!(ReportedRun::of(&[ready, blocked("c::r1::ready")]).cases[1].shown, skipped);
        let alone = [blocked("c::r1::ready")];
        assert_eq!(ReportedRun::of(&alone).cases[0].shown, CaseStatus::Failed("not run: c::r1::ready".to_owned()));
        let passed = ended("c::r1::ready", Verdict::Passed { note: String::new() });
        let interrupted = [passed, blocked("the interrupt")];
        let run = ReportedRun::of(&interrupted);
        assert_eq!(run.cases[1].shown, CaseStatus::Failed("not run: the interrupt".to_owned()));
        assert!(
            run.cases[1].is_failure() && run.first_cause().is_none(),
            "it failed, but is not the cause of another failure"
        );
    }
}
