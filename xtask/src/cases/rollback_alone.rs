//! `rollback_alone`: the release is upgraded and rolled back, and no other release is affected.

use anyhow::ensure;
use schemars::JsonSchema;
use serde::Deserialize;

use super::ready;
use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use super::support::extra::{self, Changes};
use super::support::untouched::Untouched;
use super::support::{outside, rolled_out};
use suite::{CaseKind, CaseSpec, Parameters, Suite, Topology, definitions};

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "rollback_alone",
        summary: "the release is upgraded and rolled back, and no other release is affected",
        needs: &[&ready::CASE.kind],
        changes_release: true,
        takes_release: true,
        parameters: Parameters::of::<With>(),
        check: has_others,
        ..CaseKind::DEFAULT
    },
    run: |cx| passing(run(cx)),
};

/// The parameters of the case.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct With {
    /// Values of the upgrade, which must replace its pods.
    #[schemars(schema_with = "definitions::changes")]
    set: Vec<String>,
}

fn has_others(_: &CaseSpec, _: &Topology, suite: &Suite) -> Result<(), String> {
    if suite.releases.len() == 1 {
        return Err("there is no other release: add one, or remove this case".to_owned());
    }
    Ok(())
}

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let (deployed, with) = (cx.deployed()?, cx.with::<With>()?);
    let deployed_release = cx.deployed_release(&deployed)?;
    let mut others = Vec::new();
    for other in deployed.releases.iter().filter(|other| other.release != deployed_release.release) {
        others.push((other, other.helm.revision().await?, Untouched::of(other)));
    }
    ensure!(!others.is_empty(), "{} is the only release", deployed_release.release.key());
    let (own, revision) = (Untouched::of(deployed_release), deployed_release.helm.revision().await?);
    let mut changed = deployed_release.clone();
    extra::changed(cx, &mut changed, &Changes { set: with.set, ..Changes::default() }).await?;
    outside::prepare(cx, &changed).await?;
    let upgrade = changed.helm.upgrade(&changed.chart, &changed.values).timeout(cx.wait.left());
    cx.wait.unless_hopeless(&deployed_release.watch, &upgrade.line(), upgrade.run()).await??;
    rolled_out::rolled_out(cx, &changed).await?;
    ensure!(
        own.check().is_err(),
        "the upgrade of {} replaced no pod; choose other values in `set`",
        deployed_release.release.key()
    );
    let back = deployed_release.helm.cmd("rollback").arg(revision.to_string()).timeout(cx.wait.left());
    cx.wait.unless_hopeless(&deployed_release.watch, &back.line(), back.run()).await??;
    rolled_out::rolled_out(cx, deployed_release).await?;
    for (other, revision, pods) in &others {
        pods.check()?;
        same_revision(&other.release.key(), *revision, other.helm.revision().await?)?;
    }
    Ok(format!("{} other releases not affected", others.len()))
}

/// Checks that another release still has the same revision.
fn same_revision(release: &str, before: u64, now: u64) -> anyhow::Result<()> {
    ensure!(now == before, "release {release} changed from revision {before} to {now}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_release_that_changes_is_an_error() {
        same_revision("prod/server", 1, 1).unwrap();
        let error = same_revision("prod/server", 1, 2).unwrap_err();
        assert_eq!(error.to_string(), "release prod/server changed from revision 1 to 2");
    }
}
