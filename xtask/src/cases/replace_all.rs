//! `replace_all`: every pod is replaced, from the highest ordinal down, and gets a new IP; no data is lost.

use anyhow::ensure;

use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use super::support::disturb::Disturbance;
use super::support::kill::Grace;
use super::voters;
use kubernetes::objects;
use suite::CaseKind;

/// How often a pod is replaced until its IP changes.
const TRIES: u32 = 4;

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "replace_all",
        summary: "every pod is replaced, from the highest ordinal down, and gets a new IP",
        needs: &[&voters::CASE.kind],
        ..CaseKind::UNDER_LOAD
    },
    run: |cx| passing(run(cx)),
};

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let replicas = cx.replicas()?;
    let disturbance = Disturbance::begin(cx, replicas).await?;
    for name in disturbance.deployed.names(replicas).iter().rev() {
        let before = ip(&disturbance, name);
        for attempt in 1..=TRIES {
            disturbance.kill(name, Grace::Default, "replaced").await?;
            if ip(&disturbance, name) != before {
                break;
            }
            ensure!(attempt < TRIES, "Pod/{name} was replaced {TRIES} times and still has IP {before:?}");
        }
        disturbance.read_back().await?;
    }
    disturbance.end().await
}

fn ip(disturbance: &Disturbance<'_>, name: &str) -> Option<String> {
    disturbance.deployed.pod(name).as_ref().and_then(objects::ip).map(str::to_owned)
}
