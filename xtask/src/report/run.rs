//! A run as its events tell it, folded for the reports that show it as a whole.

use std::collections::BTreeMap;

use crate::events::{Event, Verdict, What};

/// A run, complete or cut short.
#[derive(Debug, Default)]
pub struct Run<'a> {
    /// The run's id.
    pub run_id: &'a str,
    /// `kind`, `embedded` or `context:NAME`.
    pub cluster: &'a str,
    /// The image under test.
    pub image: &'a str,
    /// The selected cases in their order, with what became of them.
    pub cases: Vec<Case<'a>>,
    /// When the last event came.
    pub took_ms: u64,
    /// None where the run was cut short.
    pub exit_code: Option<i32>,
}

/// A case as far as its events tell.
#[derive(Debug)]
pub struct Case<'a> {
    /// `caesium::r3::ready`.
    pub name: &'a str,
    /// When it began; none where it never did.
    pub start_ms: Option<u64>,
    /// When it ended, and how; none where it never did.
    pub end: Option<(u64, &'a Verdict)>,
    /// The last thing that it was seen waiting for.
    pub waiting: Option<&'a str>,
}

impl Case<'_> {
    /// The topology that a case belongs to, or the group of those without one: `r3`, `cluster`.
    pub fn lane(&self) -> &str {
        let mut parts = self.name.rsplit("::").skip(1);
        parts.next().unwrap_or(self.name)
    }

    /// Whether it was checked and does not hold, or was cut short.
    pub fn is_red(&self) -> bool {
        matches!(self.end, Some((_, Verdict::Failed { .. }))) || (self.end.is_none() && self.start_ms.is_some())
    }

    /// Whether it was checked and holds.
    pub fn is_green(&self) -> bool {
        matches!(self.end, Some((_, Verdict::Passed { .. })))
    }
}

impl<'a> Run<'a> {
    /// Folds the events of one run.
    pub fn of(events: &'a [Event]) -> Self {
        let mut run = Self::default();
        let mut index = BTreeMap::new();
        for event in events {
            run.took_ms = run.took_ms.max(event.at_ms);
            run.add(event, &mut index);
        }
        run
    }

    /// The failed case that ended first: most likely the cause of the others.
    pub fn first_cause(&self) -> Option<(&Case<'a>, &'a str)> {
        let failed = self.cases.iter().filter_map(|case| match case.end {
            Some((at_ms, Verdict::Failed { message })) => Some((at_ms, case, message.as_str())),
            _ => None,
        });
        failed.min_by_key(|(at_ms, ..)| *at_ms).map(|(_, case, message)| (case, message))
    }

    fn add(&mut self, event: &'a Event, index: &mut BTreeMap<&'a str, usize>) {
        match &event.what {
            What::RunStarted { run_id, cluster, image, cases } => {
                (self.run_id, self.cluster, self.image) = (run_id, cluster, image);
                for name in cases {
                    self.case(name, index);
                }
            }
            What::CaseStarted { case } => self.case(case, index).start_ms = Some(event.at_ms),
            What::Waiting { case, state } => self.case(case, index).waiting = Some(state),
            What::CaseEnded { case, verdict, .. } => self.case(case, index).end = Some((event.at_ms, verdict)),
            What::RunEnded { exit_code, .. } => self.exit_code = Some(*exit_code),
            _ => {}
        }
    }

    fn case(&mut self, name: &'a str, index: &mut BTreeMap<&'a str, usize>) -> &mut Case<'a> {
        let at = *index.entry(name).or_insert_with(|| {
            self.cases.push(Case { name, start_ms: None, end: None, waiting: None });
            self.cases.len() - 1
        });
        &mut self.cases[at]
    }
}
