//! Drives a plan: lanes side by side, each case as soon as what it needs has ended.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::join_all;
use tokio::sync::{Semaphore, SemaphorePermit, watch};

use crate::events::{CaseName, Verdict, What};
use crate::evidence;
use crate::kubernetes::wait::Waiter;
use crate::outcome::Outcome;
use crate::phases::context::Cx;
use crate::phases::{self, explain};
use crate::plan::{Case, Plan};
use crate::run::Run;

/// What is left to a phase that overruns its time before it is dropped; it should have ended by itself.
const OVERRUN: Duration = Duration::from_secs(5);
/// The culprit of cases that an interrupt kept from running.
const INTERRUPT: &str = "the interrupt";

/// Verdicts so far, by index of the case.
type Board = watch::Sender<BTreeMap<usize, Verdict>>;

/// Runs every case of the plan that is to run; answers what came of each, in the plan's order.
pub async fn drive(run: &Arc<Run>, plan: &Plan) -> Vec<Outcome> {
    let board = Board::default();
    let jobs = Semaphore::new(run.settings.jobs.unwrap_or(plan.cases.len()).max(1));
    let lanes = plan.lanes().into_iter().map(|lane| drive_lane(run, plan, lane, &board, &jobs));
    let mut outcomes: Vec<_> = join_all(lanes).await.into_iter().flatten().collect();
    outcomes.sort_by_key(|(index, _)| *index);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

/// Runs the cases of a lane, one after another. A topology takes one of the jobs for all of its cases.
async fn drive_lane(
    run: &Arc<Run>,
    plan: &Plan,
    lane: Vec<usize>,
    board: &Board,
    jobs: &Semaphore,
) -> Vec<(usize, Outcome)> {
    let mut job: Option<SemaphorePermit<'_>> = None;
    let mut outcomes = Vec::new();
    for index in lane {
        let case = &plan.cases[index];
        let before = ended(plan, case, board).await;
        if case.topology.is_some() && job.is_none() {
            job = jobs.acquire().await.ok();
        }
        let started = Instant::now();
        let verdict = match culprit(run, plan, case, &before) {
            Some(culprit) => Verdict::NotRun { culprit },
            None => unblamed(execute(run, case).await, plan, case, board).await,
        };
        let took = started.elapsed();
        tell_end(run, case, took, &verdict);
        board.send_modify(|verdicts| drop(verdicts.insert(index, verdict.clone())));
        outcomes.push((index, Outcome { case: case.name.clone(), phase: case.phase, took, verdict }));
    }
    outcomes
}

/// Waits until everything that has to end before this case has; answers the verdicts.
async fn ended(plan: &Plan, case: &Case, board: &Board) -> BTreeMap<usize, Verdict> {
    let before: Vec<_> = case.needs.iter().chain(&case.after).filter(|index| plan.running.contains(index)).collect();
    let mut verdicts = board.subscribe();
    let all = |verdicts: &BTreeMap<usize, Verdict>| before.iter().all(|index| verdicts.contains_key(index));
    // The board outlives every lane.
    verdicts.wait_for(all).await.map(|verdicts| verdicts.clone()).unwrap_or_default()
}

/// The case that keeps this one from running: one that it needs, or one before it in its topology that
/// disturbed the release and failed.
fn culprit(run: &Run, plan: &Plan, case: &Case, before: &BTreeMap<usize, Verdict>) -> Option<CaseName> {
    let disturbed = case.after.iter().filter(|_| !case.phase.cleans_up());
    let disturbed = disturbed.filter(|index| plan.cases[**index].phase.disturbs());
    for index in case.needs.iter().chain(disturbed) {
        match before.get(index) {
            Some(Verdict::Failed { .. }) => return Some(plan.cases[*index].name.clone()),
            Some(Verdict::NotRun { culprit }) => return Some(culprit.clone()),
            _ => {}
        }
    }
    let interrupted = run.cancel.is_cancelled() && !case.phase.tears_down();
    interrupted.then(|| INTERRUPT.to_owned())
}

/// A case that ran beside what it needs and failed because that did is not to blame.
async fn unblamed(verdict: Verdict, plan: &Plan, case: &Case, board: &Board) -> Verdict {
    if case.beside.is_empty() || matches!(verdict, Verdict::Passed { .. }) {
        return verdict;
    }
    let mut verdicts = board.subscribe();
    let all = |verdicts: &BTreeMap<usize, Verdict>| case.beside.iter().all(|index| verdicts.contains_key(index));
    let Ok(verdicts) = verdicts.wait_for(all).await else { return verdict };
    let failed = |index: &&usize| matches!(verdicts.get(index), Some(Verdict::Failed { .. }));
    match case.beside.iter().find(failed) {
        Some(index) => Verdict::NotRun { culprit: plan.cases[*index].name.clone() },
        None => verdict,
    }
}

/// Runs one case: bounded, cancelled by an interrupt, and safe from a panic.
async fn execute(run: &Arc<Run>, case: &Case) -> Verdict {
    run.events.send(What::CaseStarted { case: case.name.clone() });
    let timeout = run.settings.timeout.unwrap_or_else(|| run.suite.timeout(case.phase.name()));
    let wait = Waiter::new(case.name.clone(), run.events.clone(), timeout);
    let cx = Cx { run: run.clone(), name: case.name.clone(), wait, topology: case.topology };
    let phase = AssertUnwindSafe(phases::run(case.phase, &cx)).catch_unwind();
    let result = tokio::select! {
        done = tokio::time::timeout(timeout + OVERRUN, phase) => match done {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => Err(anyhow::anyhow!("the harness panicked: {}", words(&*panic))),
            Err(_) => Err(anyhow::anyhow!("not within {} s; last seen: {}", timeout.as_secs(), cx.wait.last_state())),
        },
        () = run.cancel.cancelled(), if !case.phase.tears_down() => {
            Err(anyhow::anyhow!("interrupted; last seen: {}", cx.wait.last_state()))
        }
    };
    match result {
        Ok(note) => Verdict::Passed { note },
        Err(error) => {
            run.note_failure();
            let message = explain::message(&cx, &error).await;
            evidence::collect(&cx).await;
            Verdict::Failed { message }
        }
    }
}

fn tell_end(run: &Run, case: &Case, took: Duration, verdict: &Verdict) {
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    run.events.send(What::CaseEnded { case: case.name.clone(), took_ms, verdict: verdict.clone() });
}

/// What a panic said.
fn words(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no words")
}
