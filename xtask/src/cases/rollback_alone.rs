//! `rollback_alone`: one release is upgraded and rolled back, and all others are left alone.

use anyhow::ensure;
use schemars::JsonSchema;
use serde::Deserialize;

use super::ready;
use super::support::case::{Case, passing};
use super::support::context::Cx;
use super::support::extra::{self, Changes};
use super::support::rolled_out;
use super::support::untouched::Untouched;
use suite::{CaseKind, CaseSpec, Parameters, Suite, Topology, definitions};

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "rollback_alone",
        summary: "the release is upgraded and rolled back, and every other one is left alone",
        needs: &[&ready::CASE.kind],
        takes_release: true,
        parameters: Parameters::of::<With>(),
        check: has_others,
        ..CaseKind::DEFAULT
    },
    run: |cx| passing(run(cx)),
};

/// Its parameters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct With {
    /// Values of the upgrade: something that replaces its pods.
    #[schemars(schema_with = "definitions::changes")]
    set: Vec<String>,
}

fn has_others(_: &CaseSpec, _: &Topology, suite: &Suite) -> Result<(), String> {
    if suite.releases.len() == 1 {
        return Err("there is no other release to be left alone: add one, or leave this case out".to_owned());
    }
    Ok(())
}

async fn run(cx: &Cx) -> anyhow::Result<String> {
    let (stage, with) = (cx.stage()?, cx.with::<With>()?);
    let placed = cx.placed(&stage)?;
    let mut others = Vec::new();
    for other in stage.releases.iter().filter(|other| other.release != placed.release) {
        others.push((other, other.helm.revision().await?, Untouched::of(other)));
    }
    ensure!(!others.is_empty(), "{} is the only release: none is left alone", placed.release.key());
    let (own, revision) = (Untouched::of(placed), placed.helm.revision().await?);
    let mut changed = placed.clone();
    extra::changed(cx, &mut changed, &Changes { set: with.set, ..Changes::default() }).await?;
    let upgrade = changed.helm.upgrade(&changed.chart, &changed.values).timeout(cx.wait.left());
    cx.wait.unless_hopeless(&placed.watch, &upgrade.line(), upgrade.run()).await??;
    rolled_out::rolled_out(cx, &changed).await?;
    ensure!(own.check().is_err(), "the upgrade of {} replaced no pod: nothing is proven", placed.release.key());
    let back = placed.helm.cmd("rollback").arg(revision.to_string()).timeout(cx.wait.left());
    cx.wait.unless_hopeless(&placed.watch, &back.line(), back.run()).await??;
    rolled_out::rolled_out(cx, placed).await?;
    for (other, revision, pods) in &others {
        pods.check()?;
        same_revision(&other.release.key(), *revision, other.helm.revision().await?)?;
    }
    Ok(format!("{} other releases as they were", others.len()))
}

/// A release that was not meant is at the revision at which it was.
fn same_revision(release: &str, before: u64, now: u64) -> anyhow::Result<()> {
    ensure!(now == before, "release {release} is at revision {now}, it was at {before}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_that_was_upgraded_or_rolled_back_beside_the_one_that_was_meant_is_told() {
        same_revision("prod/server", 1, 1).unwrap();
        let error = same_revision("prod/server", 1, 2).unwrap_err();
        assert_eq!(error.to_string(), "release prod/server is at revision 2, it was at 1");
    }
}
