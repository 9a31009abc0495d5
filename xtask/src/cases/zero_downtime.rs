//! `zero_downtime`: `helm upgrade` replaces every pod, and no request through the Service fails meanwhile, over new or
//! reused connections.

use anyhow::ensure;

use super::ready;
use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use super::support::disturb::Disturbance;
use super::support::upgrading;
use suite::{CaseKind, missing};

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "zero_downtime",
        summary: "`[upgrade]` replaces every pod, and no request through the Service fails meanwhile",
        needs: &[&ready::CASE.kind],
        changes_release: true,
        missing: |suite, workload| missing::upgrade(suite, workload).or_else(|| missing::requests(suite, workload)),
        ..CaseKind::UNDER_LOAD
    },
    run: |cx| passing(run(cx)),
};

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let disturbance = Disturbance::begin(cx, cx.replicas()?).await?;
    ensure!(
        cx.run.client_image().is_some(),
        "the image of the in-cluster client can't be loaded into the nodes, so no request goes through the Service"
    );
    upgrading::upgraded(&disturbance).await?;
    let recorder = disturbance.recorder.clone();
    let note = disturbance.end().await?;
    let (all, failed) = recorder.failed_through_service();
    ensure!(all > 0, "no request went through the Service");
    if let Some(first) = failed.first() {
        let error = first.error.as_deref().unwrap_or_default();
        anyhow::bail!(
            "{} of {all} requests failed during the upgrade, the first over {}: {error}",
            failed.len(),
            first.connection
        );
    }
    Ok(format!("none of {all} requests failed; {note}"))
}
