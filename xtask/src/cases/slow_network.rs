//! `slow_network`: packets between the replicas are late or lost for a while, under load.

use cluster::NotApplicable;
use futures::FutureExt;
use schemars::JsonSchema;
use serde::Deserialize;

use super::ready;
use super::support::case::{Case, Conclusion};
use super::support::context::CaseContext;
use super::support::disturb::Disturbance;
use super::support::faults::slow_network::{self, Slow};
use super::support::faults::traffic;
use super::support::lasting;
use suite::{CaseKind, CaseSpec, Parameters, Suite, Topology};

const FOR_S: u64 = 10;
const DELAY_MS: u32 = 50;
const JITTER_MS: u32 = 20;
const LOSS_PERCENT: u8 = 2;

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "slow_network",
        summary: "for `for_s` seconds (10 by default), what the replicas send to each other is `delay_ms` late, or up to \
                  `jitter_ms` more, and `loss_percent` of 100 packets are lost (50, 20 and 2 by default). Writes must \
                  be acknowledged while it lasts, and none may be lost",
        needs: &[&ready::CASE.kind],
        fewest_replicas: 2,
        parameters: Parameters::of::<With>(),
        check,
        ..CaseKind::UNDER_LOAD
    },
    run: |cx| run(cx).boxed_local(),
};

/// The parameters of the case.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct With {
    /// How late each packet is, in milliseconds; 50 by default.
    #[serde(default)]
    #[schemars(range(min = 0, max = 10_000))]
    delay_ms: Option<u32>,
    /// How much later it may be, in milliseconds; 20 by default.
    #[serde(default)]
    #[schemars(range(min = 0, max = 10_000))]
    jitter_ms: Option<u32>,
    /// How many of 100 packets are lost; 2 by default.
    #[serde(default)]
    #[schemars(range(min = 0, max = 99))]
    loss_percent: Option<u8>,
    /// How long, in seconds; 10 by default.
    #[serde(default)]
    #[schemars(range(min = 1, max = 600))]
    for_s: Option<u64>,
}

impl With {
    fn slow(&self) -> Slow {
        Slow {
            delay_ms: self.delay_ms.unwrap_or(DELAY_MS),
            jitter_ms: self.jitter_ms.unwrap_or(JITTER_MS),
            loss_percent: self.loss_percent.unwrap_or(LOSS_PERCENT),
        }
    }
}

fn check(case: &CaseSpec, topology: &Topology, suite: &Suite) -> Result<(), String> {
    let Slow { delay_ms, jitter_ms, loss_percent } = case.with::<With>()?.slow();
    if delay_ms + jitter_ms == 0 && loss_percent == 0 {
        return Err("without delay, jitter and loss it proves nothing: write one of them".to_owned());
    }
    lasting::check(case, topology, suite)
}

async fn run(cx: &CaseContext) -> anyhow::Result<Conclusion> {
    let with = cx.with::<With>()?;
    let disturbance = Disturbance::begin(cx, cx.replicas()?).await?;
    let slow = match slow_network::begin(&disturbance, with.slow()).await? {
        Ok(slow) => slow,
        Err(NotApplicable(why)) => return Ok(Conclusion::NotApplicable(why)),
    };
    slow.held(&disturbance, with.for_s.unwrap_or(FOR_S)).await?;
    traffic::prove(&disturbance, &slow, "late or lost").await?;
    slow.heal(&disturbance).await?;
    disturbance.settled_again(slow.fault).await?;
    disturbance.end().await.map(Conclusion::Passed)
}
