//! `bad_release_rolls_back`: an upgrade that can't become ready rolls back automatically, and the old pods stay ready.

use std::time::Duration;

use anyhow::{bail, ensure};
use schemars::JsonSchema;
use serde::Deserialize;

use super::ready;
use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use super::support::untouched::Untouched;
use super::support::{extra, outside, rolled_out};
use suite::{CaseKind, Parameters, definitions};

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "bad_release_rolls_back",
        summary: "an upgrade that can't become ready rolls back automatically, and no ready pod is lost meanwhile",
        needs: &[&ready::CASE.kind],
        changes_release: true,
        takes_release: true,
        parameters: Parameters::of::<With>(),
        ..CaseKind::DEFAULT
    },
    run: |cx| passing(run(cx)),
};

/// The parameters of the case.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct With {
    /// Values of the bad upgrade.
    #[schemars(schema_with = "definitions::changes")]
    set: Vec<String>,
    /// Time in seconds that helm waits for the upgrade.
    #[schemars(range(min = 1, max = 3600))]
    timeout_s: u64,
}

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let (deployed, with) = (cx.deployed()?, cx.with::<With>()?);
    let deployed_release = cx.deployed_release(&deployed)?;
    rolled_out::rolled_out(cx, deployed_release).await?;
    cx.wait.expect_failure();
    let before = Untouched::of(deployed_release).some()?;
    let revision = deployed_release.helm.revision().await?;
    let mut bad = deployed_release.clone();
    let changes = extra::Changes { set: with.set, ..extra::Changes::default() };
    extra::changed(cx, &mut bad, &changes).await?;
    outside::prepare(cx, &bad).await?;
    let upgrade = bad.helm.upgrade(&bad.chart, &bad.values).arg(bad.helm.rollback_on_failure());
    let upgrade = upgrade.args(["--wait", "--timeout", &format!("{}s", with.timeout_s)]);
    // Time for helm to roll back and to wait for that.
    let upgrade = upgrade.timeout(Duration::from_secs(2 * with.timeout_s + 30).min(cx.wait.left()));
    let line = upgrade.line();
    let (outcome, lost) = before.while_doing(upgrade.run()).await;
    if outcome.is_ok() {
        bail!("{line}: it succeeded, although the release should not become ready");
    }
    if let Some(lost) = lost {
        bail!("the old release lost ready pods: {lost}");
    }
    rolled_out::rolled_out(cx, deployed_release).await?;
    before.check()?;
    let now = deployed_release.helm.revision().await?;
    ensure!(
        now == revision + 2,
        "{line}: revision {now} is current instead of {}, the rollback of {}",
        revision + 2,
        revision + 1
    );
    Ok(format!("revision {} rolled back to {revision} as {now}, no ready pod lost", revision + 1))
}
