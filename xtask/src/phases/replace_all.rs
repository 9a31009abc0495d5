//! `replace_all`: every pod is replaced, the highest ordinal first; each gets a new IP and no data is lost.

use anyhow::ensure;

use super::context::Cx;
use super::disturb::Disturbance;
use super::kill::Grace;
use kubernetes::objects;

/// How often a pod is replaced until its IP changes; with the old one nothing is proven.
const TRIES: u32 = 4;

/// Runs the case.
pub async fn run(cx: &Cx) -> anyhow::Result<String> {
    let replicas = cx.replicas()?;
    let disturbance = Disturbance::begin(cx, replicas).await?;
    for name in disturbance.stage.names(replicas).iter().rev() {
        let before = ip(&disturbance, name);
        for attempt in 1..=TRIES {
            disturbance.kill(name, Grace::Default, "replaced").await?;
            if ip(&disturbance, name) != before {
                break;
            }
            ensure!(
                attempt < TRIES,
                "Pod/{name} was replaced {TRIES} times and still has IP {before:?}: nothing is proven"
            );
        }
        disturbance.read_back().await?;
    }
    disturbance.end().await
}

fn ip(disturbance: &Disturbance<'_>, name: &str) -> Option<String> {
    disturbance.stage.pod(name).as_ref().and_then(objects::ip).map(str::to_owned)
}
