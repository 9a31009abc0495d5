//! `upgrade_from`: `helm upgrade` from the earlier chart to the present one under load, and back if the suite wants it.

use std::sync::atomic::Ordering;

use schemars::JsonSchema;
use serde::Deserialize;

use super::ready;
use super::support::beginning;
use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use super::support::disturb::Disturbance;
use super::support::upgrading::changed;
use suite::{CaseKind, CaseSpec, Parameters, Starts, Suite, Topology, missing};

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "upgrade_from",
        summary: "the release is upgraded under load from the chart of `[upgrade.from]`, which `install` installs in \
                  this topology, to the present one, and no acknowledged write is lost. With `rollback = true` it is \
                  also rolled back and upgraded again",
        needs: &[&ready::CASE.kind],
        starts: Starts::Earlier,
        parameters: Parameters::of::<With>(),
        missing: |suite, workload| missing::workload(suite, workload).or_else(|| missing::earlier(suite, workload)),
        check: |case, topology, _: &Suite| comes_first(case, topology),
        ..CaseKind::UNDER_LOAD
    },
    run: |cx| passing(run(cx)),
};

/// The parameters of the case.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct With {
    /// Whether the release is also rolled back to the earlier chart, and upgraded again.
    #[serde(default)]
    rollback: bool,
}

/// Checks that nothing upgrades the earlier release before.
pub fn comes_first(case: &CaseSpec, topology: &Topology) -> Result<(), String> {
    let before = topology.cases.iter().take_while(|other| other.name != case.name);
    match before.into_iter().find(|other| other.kind.changes_release) {
        Some(other) => Err(format!("it continues what `install` began: move it before `{}`", other.name)),
        None => Ok(()),
    }
}

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let with = cx.with::<With>()?;
    let disturbance = Disturbance::begin(cx, cx.replicas()?).await?;
    let deployed = disturbance.deployed.clone();
    let release = deployed.deployed_release(None)?;
    let (from, revision) = (beginning::earlier(cx)?.label(), release.helm.revision().await?);
    let upgrade = || release.helm.upgrade(&release.chart, &release.values).timeout(cx.wait.left());
    let upgraded = format!("helm upgrade from {from}");
    deployed.is_earlier.store(false, Ordering::Relaxed);
    changed(&disturbance, &upgraded, upgrade()).await?;
    if with.rollback {
        let back = release.helm.cmd("rollback").arg(revision.to_string()).timeout(cx.wait.left());
        disturbance.read_back().await?;
        deployed.is_earlier.store(true, Ordering::Relaxed);
        changed(&disturbance, &format!("helm rollback to {from}"), back).await?;
        disturbance.read_back().await?;
        deployed.is_earlier.store(false, Ordering::Relaxed);
        changed(&disturbance, &upgraded, upgrade()).await?;
    }
    let back = if with.rollback { ", back, and again" } else { "" };
    Ok(format!("from {from}{back}; {}", disturbance.end().await?))
}
