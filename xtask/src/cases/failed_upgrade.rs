//! `failed_upgrade`: an upgrade that can't work, such as one with a failing migration, says why, leaves the old pods
//! running, and is rolled back by hand.

use anyhow::{bail, ensure};
use k8s_openapi::api::batch::v1::Job;
use kube::Api;
use schemars::JsonSchema;
use serde::Deserialize;

use super::ready;
use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use super::support::extra::{self, Changes};
use super::support::untouched::Untouched;
use super::support::{outside, rolled_out, signs};
use crate::deployed_release::DeployedRelease;
use crate::deployed_topology::DeployedTopology;
use kubernetes::call;
use kubernetes::rollout::Rollout;
use suite::{CaseKind, Parameters, definitions};

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "failed_upgrade",
        summary: "an upgrade that can't work says why, affects no ready pod, and is rolled back by hand. With `hook = \
                  true`, no workload is changed and the hook's Job is kept",
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
    /// Values of the upgrade.
    #[schemars(schema_with = "definitions::changes")]
    set: Vec<String>,
    /// Text that helm's output, a pod's state, an event or a log must contain.
    #[schemars(schema_with = "definitions::words")]
    says: String,
    /// Whether a hook fails; then no workload may have changed, and the hook's Job must be kept.
    #[serde(default)]
    hook: bool,
}

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let (deployed, with) = (cx.deployed()?, cx.with::<With>()?);
    let deployed_release = cx.deployed_release(&deployed)?;
    rolled_out::rolled_out(cx, deployed_release).await?;
    cx.wait.expect_failure();
    let (before, revision, rollouts) =
        (Untouched::of(deployed_release).some()?, deployed_release.helm.revision().await?, rollouts(deployed_release));
    let mut bad = deployed_release.clone();
    extra::changed(cx, &mut bad, &Changes { set: with.set.clone(), ..Changes::default() }).await?;
    outside::prepare(cx, &bad).await?;
    let upgrade = bad.helm.upgrade(&bad.chart, &bad.values).timeout(cx.wait.left());
    let line = upgrade.line();
    let failure = upgrade.run().await.err();
    let ask = async || signs::find(&deployed.client, &bad, failure.as_ref(), &with.says).await;
    let sign = cx.wait.ask_until(&bad.watch, &format!("the failed upgrade says {:?}", with.says), ask).await?;
    before.check()?;
    if with.hook {
        ensure!(failure.is_some(), "{line}: it succeeded, although its hook should fail");
        ensure!(
            self::rollouts(deployed_release) == rollouts,
            "{line}: a workload was changed, although the hook failed"
        );
        kept(&deployed, &bad).await?;
    }
    let back =
        deployed_release.helm.cmd("rollback").arg(revision.to_string()).arg("--no-hooks").timeout(cx.wait.left());
    back.run().await?;
    rolled_out::rolled_out(cx, deployed_release).await?;
    before.check()?;
    Ok(format!("{} pods kept running; {sign:?}", before.count()))
}

fn rollouts(deployed_release: &DeployedRelease) -> Vec<Option<Rollout>> {
    let state = deployed_release.watch.state();
    deployed_release.workloads().into_iter().map(|(kind, name)| state.rollout(kind, name)).collect()
}

/// Checks that the failed hook's Job was kept. This asks the API, since a watch may lag behind.
async fn kept(deployed: &DeployedTopology, bad: &DeployedRelease) -> anyhow::Result<()> {
    let all: Api<Job> = Api::namespaced(deployed.client.clone(), bad.watch.namespace());
    let jobs = bad.hook_jobs("pre-upgrade");
    for job in &jobs {
        let found = call(&format!("reading Job/{job}"), all.get_opt(job)).await?;
        if found.is_some_and(|job| job.metadata.deletion_timestamp.is_none()) {
            return Ok(());
        }
    }
    bail!("Job/{} of the failed hook was deleted, and its logs with it", jobs.join(", Job/"))
}
