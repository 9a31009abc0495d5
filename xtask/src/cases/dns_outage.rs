//! `dns_outage`: no name server responds to the replicas for a while, under load.

use cluster::NotApplicable;
use futures::FutureExt;
use schemars::JsonSchema;
use serde::Deserialize;

use super::ready;
use super::support::case::{Case, Conclusion};
use super::support::context::CaseContext;
use super::support::disturb::Disturbance;
use super::support::faults::{dns_outage, traffic};
use super::support::lasting;
use suite::{CaseKind, Parameters};

/// Longer than names are usually cached.
const FOR_S: u64 = 10;

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "dns_outage",
        summary: "no name server responds to the replicas for `for_s` seconds (10 by default). Those that know each \
                  other must keep working: writes are acknowledged while it lasts, and none is lost. Clients still \
                  resolve names",
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
    /// How long, in seconds; 10 by default.
    #[serde(default)]
    #[schemars(range(min = 1, max = 600))]
    for_s: Option<u64>,
}

async fn run(cx: &CaseContext) -> anyhow::Result<Conclusion> {
    let with = cx.with::<With>()?;
    let disturbance = Disturbance::begin(cx, cx.replicas()?).await?;
    let outage = match dns_outage::begin(&disturbance).await? {
        Ok(outage) => outage,
        Err(NotApplicable(why)) => return Ok(Conclusion::NotApplicable(why)),
    };
    outage.held(&disturbance, with.for_s.unwrap_or(FOR_S)).await?;
    let lost = traffic::packets_hit(&disturbance, &outage).await?;
    disturbance.recorder.evidence(outage.fault, format!("{lost} questions to name servers lost"));
    outage.heal(&disturbance).await?;
    disturbance.settled_again(outage.fault).await?;
    let note = disturbance.end().await?;
    Ok(Conclusion::Passed(format!("{note}; {lost} questions to name servers were lost")))
}
