//! `takeover`: a release that one major version of helm installed is upgraded by the other, and the other way round.

use super::ready;
use super::support::beginning;
use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use super::support::disturb::Disturbance;
use super::support::upgrading::changed;
use super::upgrade_from::comes_first;
use suite::{CaseKind, Starts, missing};

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "takeover",
        summary: "a release that the other major version of helm (3 or 4) installed, as `install` does in this \
                  topology, is upgraded under load by the helm in use, then again by the other, and no acknowledged \
                  write is lost",
        needs: &[&ready::CASE.kind],
        starts: Starts::OtherHelm,
        missing: missing::upgrade,
        check: |case, topology, _| comes_first(case, topology),
        ..CaseKind::UNDER_LOAD
    },
    run: |cx| passing(run(cx)),
};

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let disturbance = Disturbance::begin(cx, cx.replicas()?).await?;
    let deployed = disturbance.deployed.clone();
    let release = deployed.deployed_release(None)?;
    let (own, other) = (&release.helm, beginning::by_other_helm(cx, release)?);
    let versions = format!("helm {} by {}, then by {0}", other.tool.version, own.tool.version);
    let changes = release.values.and(&deployed.suite.upgrade.set);
    let upgrade = own.upgrade(&release.chart, &changes).timeout(cx.wait.left());
    changed(
        &disturbance,
        &format!("helm {} upgrades what {} installed", own.tool.version, other.tool.version),
        upgrade,
    )
    .await?;
    disturbance.read_back().await?;
    let upgrade = other.upgrade(&release.chart, &release.values).timeout(cx.wait.left());
    changed(&disturbance, &format!("helm {} upgrades what {} upgraded", other.tool.version, own.tool.version), upgrade)
        .await?;
    Ok(format!("a release of {versions}; {}", disturbance.end().await?))
}
