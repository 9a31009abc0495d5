//! `node_cut_off`: no packet passes between a worker node and the others for a while, under load. On a single node,
//! nothing is checked.

use cluster::NotApplicable;
use cluster::traffic;
use futures::FutureExt;
use kube::ResourceExt;
use schemars::JsonSchema;
use serde::Deserialize;

use super::node_stop::{nodes, on, takes_client, worker};
use super::ready;
use super::support::case::{Case, Conclusion};
use super::support::context::CaseContext;
use super::support::disturb::Disturbance;
use super::support::faults::traffic::prove;
use super::support::lasting::{self, Lasting};
use crate::workload::inside;
use suite::{CaseKind, Parameters};

/// Shorter than Kubernetes takes to find a node not ready: 40 s.
const FOR_S: u64 = 15;

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "node_cut_off",
        summary: "no packet passes between a worker node that runs fewer than half of three or more replicas and the \
                  other nodes for `for_s` seconds (15 by default). The replicas elsewhere must acknowledge writes while \
                  it lasts, and all must agree afterwards. Not applicable on a single node or without such a worker",
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
    /// How long, in seconds; 15 by default.
    #[serde(default)]
    #[schemars(range(min = 1, max = 600))]
    for_s: Option<u64>,
}

async fn run(cx: &CaseContext) -> anyhow::Result<Conclusion> {
    let (deployed, with) = (cx.deployed()?, cx.with::<With>()?);
    let nodes = nodes(&deployed).await?;
    let node = match worker(&deployed, &nodes) {
        Ok(node) => node,
        Err(why) => return Ok(Conclusion::NotApplicable(why)),
    };
    let disturbance = match cx.run.client_image().filter(|_| takes_client(&nodes, &node)) {
        Some(image) => {
            inside::keep_off((&deployed, &cx.wait), image, &node).await?;
            Disturbance::begin(cx, cx.replicas()?).await?
        }
        None => Disturbance::begin_outside(cx, cx.replicas()?).await?,
    };
    let apart = on(&deployed, &node).iter().map(ResourceExt::name_any).collect();
    let what = format!("cut Node/{node} off from the other nodes");
    let cut = match Lasting::begin(&disturbance, what, vec![traffic::cut_off(&node)], apart).await? {
        Ok(cut) => cut,
        Err(NotApplicable(why)) => return Ok(Conclusion::NotApplicable(why)),
    };
    cut.held(&disturbance, with.for_s.unwrap_or(FOR_S)).await?;
    prove(&disturbance, &cut, "lost").await?;
    cut.heal(&disturbance).await?;
    disturbance.settled_again(cut.fault).await?;
    disturbance.read_back().await?;
    disturbance.end().await.map(Conclusion::Passed)
}
