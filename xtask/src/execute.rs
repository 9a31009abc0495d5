//! Runs one case: bounded, stopped by an interrupt, safe from a panic, its evidence collected if it fails.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, anyhow};
use futures::FutureExt;

use crate::cases;
use crate::cases::support::case::Conclusion;
use crate::cases::support::context::CaseContext;
use crate::cases::support::{explain, extra, never_below};
use crate::evidence;
use crate::plan::PlannedCase;
use crate::run::{Run, guard};
use events::Verdict;
use kubernetes::unrecoverable::Limits;
use kubernetes::wait::{WaitFailed, Waiter};

/// What is left to a case that overruns its time before it is dropped; it should have ended by itself.
const OVERRUN: Duration = Duration::from_secs(5);

/// Runs a case to its verdict, which a panic while evidence is collected does not take from the run either.
pub async fn execute(run: &Arc<Run>, case: &PlannedCase) -> Verdict {
    let verdict = AssertUnwindSafe(judged(run, case)).catch_unwind().await;
    verdict.unwrap_or_else(|panic| {
        run.ending.note_failure();
        let message = format!("the harness panicked after the case: {}", words(&*panic));
        Verdict::Failed { message: redact::text(&message) }
    })
}

async fn judged(run: &Arc<Run>, case: &PlannedCase) -> Verdict {
    // Creating clusters and building images takes what it takes; a flag is about the chart's cases.
    let asked = run.settings.timeout.filter(|_| case.variant.is_some());
    let timeout = asked.unwrap_or_else(|| timeout(run, case));
    let wait = Waiter::new(case.name.clone(), run.events.clone(), timeout).with_limits(limits(run, case));
    let (variant, spec, own, changes) = (case.variant, case.spec.clone(), Mutex::default(), Mutex::default());
    let cx = CaseContext { run: run.clone(), name: case.name.clone(), wait, variant, spec, own, changes };
    let ended = Box::pin(bounded(case, &cx, timeout)).await;
    match cx.undone(ended).await {
        Ok(Conclusion::Passed(note)) => Verdict::Passed { note: redact::text(&note) },
        Ok(Conclusion::NotApplicable(why)) => Verdict::NotApplicable { why },
        Err(error) => failed(&cx, case, &error).await,
    }
}

/// The verdict of a case that ended with an error: none where the cluster is gone, which is not the chart's fault.
async fn failed(cx: &CaseContext, case: &PlannedCase, error: &anyhow::Error) -> Verdict {
    let run = &cx.run;
    let blamed = error.downcast_ref::<WaitFailed>().filter(|failed_wait| failed_wait.blames_node());
    if blamed.is_none() {
        guard::settle(run).await;
        if let Some(why) = run.ending.lost() {
            if case.spec.kind.tears_down {
                let left = "what is left is swept by the next run, or by `cargo xtask cluster sweep`";
                run.events.note(format!("{}: {error:#}; {left}", cx.name));
            }
            return Verdict::NotRun { blocked_by: why.to_owned() };
        }
    }
    run.ending.note_failure();
    let message = explain::message(cx, error).await;
    if let Ok(deployed) = cx.deployed() {
        evidence::collect(&cx.name, &deployed, &run.events).await;
    }
    if let Some(WaitFailed { sentence, .. }) = blamed {
        run.ending.lose(sentence.clone(), &run.events);
    }
    extra::clear(cx).await;
    Verdict::Failed { message: redact::text(&message) }
}

/// What the case's suite says; the longest of all suites' where it belongs to none.
fn timeout(run: &Run, case: &PlannedCase) -> Duration {
    let own = case.variant.and_then(|index| run.subject.variants.get(index));
    let suites = own.map_or(run.subject.variants.as_slice(), std::slice::from_ref).iter().map(|variant| &variant.suite);
    suites.map(|suite| suite.timeout(&case.spec)).max().unwrap_or_default()
}

/// How long the states of its topology may last before they are final.
fn limits(run: &Run, case: &PlannedCase) -> Limits {
    let own = case.variant.and_then(|index| run.subject.variants.get(index));
    let chosen_s = own.map(|variant| variant.suite.limits_s.clone()).unwrap_or_default();
    Limits::new(run.cluster.is_existing(), chosen_s)
}

async fn bounded(case: &PlannedCase, cx: &CaseContext, timeout: Duration) -> anyhow::Result<Conclusion> {
    let kind = cases::find(case.spec.kind).with_context(|| format!("{} is of no kind that can run", case.name))?;
    let run = AssertUnwindSafe(never_below::watched(cx, (kind.run)(cx))).catch_unwind();
    tokio::select! {
        ended = tokio::time::timeout(timeout + OVERRUN, run) => match ended {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => Err(anyhow!("the harness panicked: {}", words(&*panic))),
            Err(_) => Err(anyhow!("timed out after {} s; last seen: {}", timeout.as_secs(), cx.wait.last_state())),
        },
        () = cx.run.ending.cancel.cancelled(), if !case.spec.kind.tears_down => {
            Err(anyhow!("interrupted; last seen: {}", cx.wait.last_state()))
        }
    }
}

/// What a panic said.
fn words(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no words")
}
