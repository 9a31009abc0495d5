//! Runs one case within its time limit, until an interrupt; catches panics, and collects evidence if the case fails.

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
use console::program;
use events::Verdict;
use kubernetes::unrecoverable::Limits;
use kubernetes::wait::{WaitFailed, Waiter};

/// The grace period of a case that overruns its time limit; it should have ended by itself.
const OVERRUN: Duration = Duration::from_secs(5);

/// Runs a case and returns its verdict, even if the harness panics while it collects evidence.
pub async fn execute(run: &Arc<Run>, case: &PlannedCase) -> Verdict {
    let verdict = AssertUnwindSafe(judged(run, case)).catch_unwind().await;
    verdict.unwrap_or_else(|panic| {
        run.ending.note_failure();
        let message = format!("the harness panicked after the case: {}", panic_message(&*panic));
        Verdict::Failed { message: redact::text(&message) }
    })
}

async fn judged(run: &Arc<Run>, case: &PlannedCase) -> Verdict {
    // `--timeout` does not apply to creating clusters and building images.
    let requested = run.settings.timeout.filter(|_| case.variant.is_some());
    let timeout = requested.unwrap_or_else(|| timeout(run, case));
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

/// Returns the verdict of a case that ended with an error: `NotRun` if the cluster is gone, since the chart is not to
/// blame.
async fn failed(cx: &CaseContext, case: &PlannedCase, error: &anyhow::Error) -> Verdict {
    let run = &cx.run;
    let blamed = error.downcast_ref::<WaitFailed>().filter(|failed_wait| failed_wait.blames_node());
    if blamed.is_none() {
        guard::settle(run).await;
        if let Some(why) = run.ending.lost() {
            if case.spec.kind.tears_down {
                let left = format!("the next run or `{} cluster sweep` deletes what is left", program::command());
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

/// Returns the time limit of the case's suite; if it belongs to none, the longest of all suites.
fn timeout(run: &Run, case: &PlannedCase) -> Duration {
    let own = case.variant.and_then(|index| run.subject.variants.get(index));
    let suites = own.map_or(run.subject.variants.as_slice(), std::slice::from_ref).iter().map(|variant| &variant.suite);
    suites.map(|suite| suite.timeout(&case.spec)).max().unwrap_or_default()
}

/// Returns how long the states of its topology may last before they count as unrecoverable.
fn limits(run: &Run, case: &PlannedCase) -> Limits {
    let own = case.variant.and_then(|index| run.subject.variants.get(index));
    let chosen_s = own.map(|variant| variant.suite.limits_s.clone()).unwrap_or_default();
    Limits::new(run.cluster.is_existing(), chosen_s)
}

async fn bounded(case: &PlannedCase, cx: &CaseContext, timeout: Duration) -> anyhow::Result<Conclusion> {
    let kind = cases::find(case.spec.kind).with_context(|| format!("case {} has an unknown kind", case.name))?;
    let run = AssertUnwindSafe(never_below::watched(cx, (kind.run)(cx))).catch_unwind();
    tokio::select! {
        ended = tokio::time::timeout(timeout + OVERRUN, run) => match ended {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => Err(anyhow!("the harness panicked: {}", panic_message(&*panic))),
            Err(_) => Err(anyhow!("timed out after {} s; last seen: {}", timeout.as_secs(), cx.wait.last_state())),
        },
        () = cx.run.ending.cancel.cancelled(), if !case.spec.kind.tears_down => {
            Err(anyhow!("interrupted; last seen: {}", cx.wait.last_state()))
        }
    }
}

/// Returns the message of a panic.
fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}
