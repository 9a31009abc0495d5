//! `pause`: every process of the leader's container is stopped under load, for longer than an election takes, and
//! continued.

use cluster::NotApplicable;
use futures::FutureExt;
use schemars::JsonSchema;
use serde::Deserialize;

use super::ready;
use super::support::case::{Case, Conclusion};
use super::support::context::CaseContext;
use super::support::disturb::Disturbance;
use super::support::faults::pause;
use super::support::lasting;
use super::support::victim::Victim;
use suite::{CaseKind, Parameters};

/// Longer than the elections of most systems take; the pause lasts until the others acknowledge a write in any case.
const FOR_S: u64 = 10;

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "pause",
        summary: "every process of the leader's container is stopped for `for_s` seconds (10 by default) and until \
                  the other replicas, if they are a majority, acknowledge a write; then it is continued, and must not \
                  answer as the leader that it was",
        needs: &[&ready::CASE.kind],
        parameters: Parameters::of::<With>(),
        check: lasting::check,
        ..CaseKind::UNDER_LOAD
    },
    run: |cx| run(cx).boxed_local(),
};

/// The parameters of the case.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct With {
    /// How long the container is paused, in seconds; 10 by default, or less if its liveness probe would restart it.
    #[serde(default)]
    #[schemars(range(min = 1, max = 600))]
    for_s: Option<u64>,
}

async fn run(cx: &CaseContext) -> anyhow::Result<Conclusion> {
    let (replicas, with) = (cx.replicas()?, cx.with::<With>()?);
    let disturbance = Disturbance::begin(cx, replicas).await?;
    let victim = Victim::leader_or_any(&disturbance.deployed, replicas).await?;
    let longest_s = pause::longest_s(&victim);
    let for_s = with.for_s.unwrap_or_else(|| longest_s.map_or(FOR_S, |most| FOR_S.min(most.max(2) - 1)));
    let paused = match pause::begin(&disturbance, &victim).await? {
        Ok(paused) => paused,
        Err(NotApplicable(why)) => return Ok(Conclusion::NotApplicable(why)),
    };
    paused.held(&disturbance, for_s).await?;
    pause::prove(&disturbance, &paused, &victim)?;
    paused.heal(&disturbance).await?;
    disturbance.settled_again(paused.fault).await?;
    let restarted = restarted(&disturbance, &victim, longest_s);
    disturbance.read_back().await?;
    let note = disturbance.end().await?;
    Ok(Conclusion::Passed(format!("{note}{restarted}")))
}

/// Allows the restart by a liveness probe, and says that nothing woke up then.
fn restarted(disturbance: &Disturbance<'_>, victim: &Victim, longest_s: Option<u64>) -> String {
    let has_restarted = victim.restarts_now(&disturbance.deployed).is_some_and(|now| now > victim.restarts);
    let Some(longest_s) = longest_s.filter(|_| has_restarted) else { return String::new() };
    disturbance.restarts.allow(&victim.container.pod_uid, &victim.container.container);
    format!(
        "; its liveness probe restarted the container, so none woke up: write a `for_s` below {longest_s}, in which the \
         others elect a leader"
    )
}
