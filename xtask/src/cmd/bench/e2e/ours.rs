//! Runs of Chartproof: starts the binary, and reads from its events where the time went.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cluster::Choice;
use events::{Event, What};
use process::Launcher;
use report::json;

/// The time limit for a run, with a wide margin.
const TIMEOUT: Duration = Duration::from_secs(1800);

/// Starts runs.
pub struct Ours<'a> {
    pub launcher: &'a Launcher,
    /// This program.
    pub xtask: PathBuf,
    pub cluster: &'a Choice,
    pub suite: &'a Path,
}

/// A case with its start and end, in seconds since the start of its run.
#[derive(Debug, Clone, PartialEq)]
pub struct Timed {
    pub case: String,
    pub began: f64,
    pub ended: f64,
}

impl Timed {
    /// Returns how many seconds it took.
    pub fn took(&self) -> f64 {
        self.ended - self.began
    }
}

impl Ours<'_> {
    /// Runs these cases, or all if none is given; returns the seconds of the whole run and the times of each case.
    pub async fn run(&self, cases: &[String], values: Option<&Path>) -> anyhow::Result<(f64, Vec<Timed>)> {
        let dir = tempfile::tempdir()?;
        let mut cmd = self.launcher.cmd(&self.xtask).args(["e2e", "--cluster", &self.cluster.to_string()]);
        cmd = cmd.arg("--suite").arg(self.suite).arg("--report-dir").arg(dir.path());
        if let Some(values) = values {
            cmd = cmd.arg("--values").arg(values);
        }
        if !cases.is_empty() {
            cmd = cmd.arg("--exact").args(cases);
        }
        let started = Instant::now();
        cmd.timeout(TIMEOUT).run().await?;
        let took = started.elapsed().as_secs_f64();
        Ok((took, timed(&json::read(&dir.path().join("events.jsonl"))?)))
    }
}

/// Returns the cases of a run, in the order in which they ended.
pub fn timed(events: &[Event]) -> Vec<Timed> {
    let seconds = |ms: u64| Duration::from_millis(ms).as_secs_f64();
    let mut began = BTreeMap::new();
    let mut cases = Vec::new();
    for event in events {
        match &event.what {
            What::CaseStarted { case } => drop(began.insert(case.clone(), event.at_ms)),
            What::CaseEnded { case, .. } => {
                if let Some(at_ms) = began.get(case) {
                    cases.push(Timed { case: case.clone(), began: seconds(*at_ms), ended: seconds(event.at_ms) });
                }
            }
            _ => {}
        }
    }
    cases
}

/// Returns the chain of cases that determined the duration of the run. It goes back from the case that ended last,
/// each time to the case that was the last to end before that one began.
pub fn critical_path(cases: &[Timed]) -> Vec<&Timed> {
    let mut path: Vec<&Timed> = Vec::new();
    let mut before = f64::INFINITY;
    loop {
        let earlier = cases.iter().filter(|case| case.ended <= before && case.began < before);
        let Some(case) = earlier.max_by(|a, b| a.ended.total_cmp(&b.ended)) else { break };
        before = case.began;
        path.push(case);
    }
    path.reverse();
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use events::Verdict;

    fn event(at_ms: u64, what: What) -> Event {
        Event { at_ms, what }
    }

    fn case(name: &str, began_ms: u64, ended_ms: u64) -> [Event; 2] {
        let case = name.to_owned();
        let verdict = Verdict::Passed { note: String::new() };
        let ended = What::CaseEnded { case: case.clone(), took_ms: ended_ms - began_ms, verdict };
        [event(began_ms, What::CaseStarted { case }), event(ended_ms, ended)]
    }

    #[test]
    fn the_path_follows_the_cases_that_others_waited_for() {
        let mut events: Vec<_> = [
            case("create", 0, 20_000),
            case("load", 100, 9_000),
            case("r1::install", 20_000, 21_000),
            case("r3::install", 20_000, 21_500),
            case("r3::ready", 21_500, 40_000),
            case("r1::ready", 21_000, 25_000),
            case("delete", 40_000, 43_000),
        ]
        .concat();
        events.sort_by_key(|event| event.at_ms);
        let cases = timed(&events);
        assert_eq!(cases.len(), 7);
        let path: Vec<_> = critical_path(&cases).iter().map(|timed| (timed.case.as_str(), timed.took())).collect();
        assert_eq!(path, [("create", 20.0), ("r3::install", 1.5), ("r3::ready", 18.5), ("delete", 3.0)]);
        assert!(critical_path(&[]).is_empty());
    }

    #[test]
    fn a_case_that_took_no_time_causes_no_endless_loop() {
        let events = [case("a", 0, 0), case("b", 0, 5)].concat();
        assert_eq!(critical_path(&timed(&events)).len(), 1);
    }
}
