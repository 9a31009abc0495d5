//! `disruption_budget`: as many evictions are allowed as the replicas tolerate, and the next one is refused.

use std::collections::BTreeSet;

use anyhow::{bail, ensure};
use futures::future::try_join_all;
use kube::ResourceExt;
use schemars::JsonSchema;
use serde::Deserialize;

use super::ready;
use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use super::support::evict::evict;
use super::support::settled;
use crate::deployed_topology::DeployedTopology;
use crate::workload::recorder::Recorder;
use kubernetes::objects;
use suite::{CaseKind, CaseSpec, Parameters, Suite, Topology, Workload, missing};

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "disruption_budget",
        summary: "the disruption budget allows as many evictions as the replicas tolerate (a quorum remains, or \
                  `keeps` replicas) and refuses the next one",
        needs: &[&ready::CASE.kind],
        disturbs: true,
        missing: budget,
        parameters: Parameters::of::<With>(),
        check: keeps,
        ..CaseKind::OF_WORKLOAD
    },
    run: |cx| passing(run(cx)),
};

/// The parameters of the case.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct With {
    /// Number of replicas that must remain; a quorum by default.
    #[serde(default)]
    #[schemars(range(min = 1, max = 100))]
    keeps: Option<u32>,
}

fn budget(suite: &Suite, workload: Option<&Workload>) -> Option<&'static str> {
    let has_none = workload.is_none_or(|workload| workload.disruption_budget.is_none());
    let name = || has_none.then_some("the name of the budget: add `disruption_budget = \"NAME\"` to [workload]");
    missing::workload(suite, workload).or_else(name)
}

fn keeps(case: &CaseSpec, topology: &Topology, suite: &Suite) -> Result<(), String> {
    let Some(replicas) = suite.workload_of(case).and_then(|workload| workload.replicas(topology)) else {
        return Err("a DaemonSet's pods are not evicted by a drain: remove the case".to_owned());
    };
    let keeps = case.with::<With>()?.keeps.unwrap_or(0);
    if keeps > replicas {
        return Err(format!("`keeps = {keeps}` is greater than `replicas = {replicas}`: write {replicas} or less"));
    }
    Ok(())
}

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let deployed = cx.deployed()?;
    let replicas = deployed.wanted();
    settled::settled(cx, &deployed, replicas).await?;
    let quorum = cx.with::<With>()?.keeps.unwrap_or(replicas / 2 + 1);
    let tolerated = replicas - quorum;
    let allowed = allowed(cx, &deployed).await?;
    ensure!(
        allowed == tolerated,
        "the disruption budget allows {allowed} of {replicas} pods to be evicted; a quorum of {quorum} tolerates {tolerated}"
    );
    let before: BTreeSet<_> = deployed.replicas().iter().filter_map(ResourceExt::uid).collect();
    let recorder = Recorder::new(cx.name.clone(), cx.run.events.clone());
    // All at once, since in sequence a successor may be ready before the next eviction.
    let order = deployed.names(replicas).into_iter().rev().take(tolerated as usize + 1);
    let answers = order.map(|name| {
        recorder.fault(format!("evict Pod/{name}"));
        let deployed = &deployed;
        async move { evict(deployed, &name).await }
    });
    let answers = try_join_all(answers).await?;
    let refusal = judge(&answers, quorum)?;
    let still = deployed.replicas().iter().filter(|pod| objects::is_ready(pod)).count();
    ensure!(still >= quorum as usize, "{still} pods are ready, but a quorum needs {quorum}");
    recovered(cx, &deployed, &before, tolerated, &refusal).await
}

/// Checks that exactly one eviction was refused, since there was one more than tolerated; returns the reason.
fn judge(answers: &[Option<String>], quorum: u32) -> anyhow::Result<String> {
    let (requested, refused) = (answers.len(), answers.iter().flatten().collect::<Vec<_>>());
    match refused.as_slice() {
        [] => bail!(
            "{requested} pods were evicted at once, which breaks the quorum of {quorum}: the disruption budget allows too much"
        ),
        [refusal] => Ok((*refusal).clone()),
        [refusal, ..] => {
            bail!("{} of {requested} evictions were refused instead of one: {refusal}", refused.len())
        }
    }
}

/// Waits until the budget counts every pod as healthy; returns how many evictions it allows.
async fn allowed(cx: &CaseContext, deployed: &DeployedTopology) -> anyhow::Result<u32> {
    let name = deployed.tested.as_ref().and_then(|workload| workload.disruption_budget.clone()).unwrap_or_default();
    let what = format!("PodDisruptionBudget/{name} counts every pod as healthy");
    let replicas = i32::try_from(deployed.wanted())?;
    cx.wait
        .until(&deployed.watch, &what, |state| {
            let budget = state.budgets.get(&name).ok_or("it does not exist")?;
            let status = budget.status.clone().unwrap_or_default();
            let [allowed, healthy, expected] =
                [status.disruptions_allowed, status.current_healthy, status.expected_pods]
                    .map(Option::unwrap_or_default);
            let seen = status.observed_generation == budget.metadata.generation;
            if seen && healthy == replicas && expected == replicas {
                return Ok(allowed.unsigned_abs());
            }
            Err(format!("{healthy}/{expected} healthy, {allowed} evictions allowed"))
        })
        .await
}

async fn recovered(
    cx: &CaseContext,
    deployed: &DeployedTopology,
    before: &BTreeSet<String>,
    evicted: u32,
    refusal: &str,
) -> anyhow::Result<String> {
    let (kind, workload) = deployed.workload()?;
    let what = format!("successors of {evicted} evicted pods");
    cx.wait
        .until(&deployed.watch, &what, |state| {
            let pods = state.pods_of(kind, workload);
            let new = pods.iter().filter_map(|pod| pod.uid()).filter(|uid| !before.contains(uid)).count();
            if new == evicted as usize { Ok(()) } else { Err(format!("{new} so far")) }
        })
        .await?;
    settled::settled(cx, deployed, deployed.wanted()).await?;
    Ok(format!("{evicted} evicted, the next refused: {refusal}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_eviction_must_be_refused() {
        let no = || Some("Cannot evict pod as it would violate the pod's disruption budget.".to_owned());
        assert_eq!(judge(&[None, no()], 2).unwrap(), no().unwrap());
        assert_eq!(
            judge(&[None, None], 2).unwrap_err().to_string(),
            "2 pods were evicted at once, which breaks the quorum of 2: the disruption budget allows too much"
        );
        assert_eq!(
            judge(&[no(), no()], 2).unwrap_err().to_string(),
            "2 of 2 evictions were refused instead of one: Cannot evict pod as it would violate the pod's \
             disruption budget."
        );
    }
}
