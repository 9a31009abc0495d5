//! Drives a plan: lanes run in parallel, and a case starts as soon as the cases it depends on have ended.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio_util::sync::CancellationToken;

use crate::plan::{Plan, PlannedCase};
use events::{CaseName, Events, Verdict, What};

/// The `blocked_by` of cases that did not run because of an interrupt.
const INTERRUPT: &str = "the interrupt";

/// The verdicts so far, by index of the case.
type Board = watch::Sender<BTreeMap<usize, Verdict>>;

/// Drives a plan.
pub struct Drive<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The number of topologies that run in parallel.
    pub jobs: usize,
    /// Groups of topologies, by the index of their variants, of which only one runs at a time.
    pub turns: &'a [BTreeSet<usize>],
    /// The run's events.
    pub events: &'a Events,
    /// Once cancelled, only the teardown still starts.
    pub cancel: &'a CancellationToken,
    /// Why the cluster was lost, if that is why `cancel` was cancelled.
    pub lost: &'a OnceLock<String>,
}

impl Drive<'_> {
    /// Runs every selected case of the plan, and sends each verdict as an event.
    pub async fn run(&self, execute: impl AsyncFn(&PlannedCase) -> Verdict) {
        let board = Board::default();
        let turns: Vec<_> = self.turns.iter().map(|group| (group, Semaphore::new(1))).collect();
        let permits = Permits { jobs: Semaphore::new(self.jobs.max(1)), turns };
        let lanes = self.plan.lanes().into_iter().map(|lane| self.lane(lane, &board, &permits, &execute));
        join_all(lanes).await;
    }

    /// Runs the cases of a lane one after another. A topology holds its turn and one job for all of its cases.
    async fn lane(
        &self,
        lane: Vec<usize>,
        board: &Board,
        permits: &Permits<'_>,
        execute: &impl AsyncFn(&PlannedCase) -> Verdict,
    ) {
        let mut held: Vec<SemaphorePermit<'_>> = Vec::new();
        for index in lane {
            let case = &self.plan.cases[index];
            let before =
                ended(board, case.needs.iter().chain(&case.after).filter(|i| self.plan.running.contains(i))).await;
            if let Some(variant) = case.variant.filter(|_| held.is_empty()) {
                held = permits.acquire(variant).await;
            }
            let started = Instant::now();
            let verdict = if let Some(blocked_by) = self.blocked_by(case, &before) {
                Verdict::NotRun { blocked_by }
            } else {
                self.events.send(What::CaseStarted { case: case.name.clone() });
                self.blamed_on_beside(execute(case).await, case, board).await
            };
            self.send_end(case, started.elapsed(), &verdict);
            board.send_modify(|verdicts| drop(verdicts.insert(index, verdict)));
        }
    }

    /// Returns the case that keeps this one from running: a dependency that failed, or an earlier case of its topology
    /// that disturbed the release and failed.
    fn blocked_by(&self, case: &PlannedCase, before: &BTreeMap<usize, Verdict>) -> Option<CaseName> {
        let disturbed = case.after.iter().filter(|_| !case.spec.kind.cleans_up);
        let disturbed = disturbed.filter(|index| self.plan.cases[**index].spec.kind.disturbs);
        for index in case.needs.iter().chain(disturbed) {
            match before.get(index) {
                // A cluster whose creation failed may have left something to tear down.
                Some(Verdict::Failed { .. }) if case.spec.kind.tears_down => {}
                Some(Verdict::Failed { .. }) => return Some(self.plan.cases[*index].name.clone()),
                Some(Verdict::NotRun { blocked_by }) => return Some(blocked_by.clone()),
                _ => {}
            }
        }
        let interrupted = self.cancel.is_cancelled() && !case.spec.kind.tears_down;
        interrupted.then(|| self.lost.get().cloned().unwrap_or_else(|| INTERRUPT.to_owned()))
    }

    /// Returns `NotRun` instead of the verdict if this case depends on another that ran beside it and failed.
    async fn blamed_on_beside(&self, verdict: Verdict, case: &PlannedCase, board: &Board) -> Verdict {
        if case.beside.is_empty() || matches!(verdict, Verdict::Passed { .. }) {
            return verdict;
        }
        let beside = ended(board, case.beside.iter()).await;
        let failed = |index: &&usize| !matches!(beside.get(index), Some(Verdict::Passed { .. }));
        match case.beside.iter().find(failed) {
            Some(index) => Verdict::NotRun { blocked_by: self.plan.cases[*index].name.clone() },
            None => verdict,
        }
    }

    fn send_end(&self, case: &PlannedCase, took: Duration, verdict: &Verdict) {
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.events.send(What::CaseEnded { case: case.name.clone(), took_ms, verdict: verdict.clone() });
    }
}

/// What a topology has to hold while it runs.
struct Permits<'a> {
    jobs: Semaphore,
    turns: Vec<(&'a BTreeSet<usize>, Semaphore)>,
}

impl Permits<'_> {
    /// Waits for the topology's turn, and then for a job: a topology that waits for its turn must not hold a job that the
    /// one whose turn it is needs.
    async fn acquire(&self, variant: usize) -> Vec<SemaphorePermit<'_>> {
        let mut held = Vec::new();
        for (_, turn) in self.turns.iter().filter(|(group, _)| group.contains(&variant)) {
            held.extend(turn.acquire().await);
        }
        held.extend(self.jobs.acquire().await);
        held
    }
}

/// Waits until all of these cases have ended; returns the verdicts.
async fn ended(board: &Board, cases: impl Iterator<Item = &usize>) -> BTreeMap<usize, Verdict> {
    let cases: Vec<_> = cases.collect();
    let mut verdicts = board.subscribe();
    let all = |verdicts: &BTreeMap<usize, Verdict>| cases.iter().all(|index| verdicts.contains_key(index));
    // The board outlives every lane.
    verdicts.wait_for(all).await.map(|verdicts| verdicts.clone()).unwrap_or_default()
}

#[cfg(test)]
#[path = "drive_tests.rs"]
mod tests;
