//! Shortens a sequence that broke a promise to the fewest faults that still break one.

use std::time::{Duration, Instant};

use anyhow::anyhow;

use super::sequence::{self, Step};
use super::{attempt, fresh, shrink};
use crate::cases::support::broken_promise::BrokenPromise;
use crate::cases::support::context::CaseContext;
use crate::evidence;
use crate::workload::recorder;

/// The time of an attempt beside its faults: the install, recovery, reading back.
const BESIDE_FAULTS: Duration = Duration::from_secs(45);

/// Repeats parts of the sequence on a fresh release, as long as there is time, and returns the first attempt's error with
/// the shortest sequence that still fails.
pub async fn shrunk(cx: &CaseContext, (steps, origin): (Vec<Step>, &str), broken: &BrokenPromise) -> anyhow::Error {
    let (count, history) = (steps.len(), recorder::file(&cx.name, &cx.run.folder));
    let first = history.with_extension("first.jsonl");
    let kept = std::fs::rename(&history, &first);
    if let Ok(deployed) = cx.deployed() {
        evidence::collect(&cx.name, &deployed, &cx.run.events).await;
    }
    let shortest = shrink::shrink(steps, async |fewer: &[Step]| again(cx, fewer).await).await;
    // The message names the history of the first attempt; the last one's would be in its place.
    if let Err(error) = kept.and_then(|()| std::fs::rename(&first, &history)) {
        cx.run.events.note(format!("{}: the history of its first attempt is lost: {error}", cx.name));
    }
    match shortest {
        Ok(left) if left.len() < count => {
            let case = sequence::as_case(&sequence::from_the_start(left.clone()));
            let left = left.len();
            anyhow!("{broken}\n{left} of the {count} faults{origin} still break it, as a case of the topology:\n{case}")
        }
        Ok(_) => {
            anyhow!("{broken}\nof the {count} faults{origin}, no fewer were seen to break it before the time limit")
        }
        Err(error) => anyhow!("{broken}\nthe {count} faults{origin} were not shortened: {error:#}"),
    }
}

/// Returns whether these faults break a promise, or `None` if there is no time to see it.
async fn again(cx: &CaseContext, steps: &[Step]) -> anyhow::Result<Option<bool>> {
    let steps = sequence::from_the_start(steps.to_vec());
    let lasts_ms = steps.iter().map(|step| step.at_ms + step.for_ms).max().unwrap_or_default();
    if cx.wait.left() < Duration::from_millis(lasts_ms) + BESIDE_FAULTS {
        return Ok(None);
    }
    let began = Instant::now();
    fresh::install(cx, cx.deployed()?.as_ref()).await?;
    let ended = attempt::run(cx, &steps).await;
    let result = ended.as_ref().map_or_else(ToString::to_string, |_| "nothing broken".to_owned());
    let first = result.lines().next().unwrap_or_default();
    cx.run.events.note(format!("{}: {} faults, {} s: {first}", cx.name, steps.len(), began.elapsed().as_secs()));
    match ended {
        Ok(_) => Ok(Some(false)),
        Err(error) if error.is::<BrokenPromise>() => Ok(Some(true)),
        Err(error) => Err(error),
    }
}
