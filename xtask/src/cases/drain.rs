//! `drain`: every pod is evicted under load, as by `kubectl drain`; an eviction that the disruption budget refuses is
//! retried until it is allowed. The quorum remains, and no acknowledged write is lost.
//!
//! No node is cordoned, since the evicted pods of a single node could run nowhere else.

use anyhow::ensure;
use kube::ResourceExt;

use super::ready;
use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use super::support::disturb::Disturbance;
use super::support::evict::evict;
use suite::CaseKind;

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "drain",
        summary: "every pod is evicted, as by `kubectl drain`; an eviction that the disruption budget refuses is \
                  retried until it is allowed",
        needs: &[&ready::CASE.kind],
        ..CaseKind::UNDER_LOAD
    },
    run: |cx| passing(run(cx)),
};

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let replicas = cx.replicas()?;
    let disturbance = Disturbance::begin(cx, replicas).await?;
    let deployed = disturbance.deployed.clone();
    let before = deployed.replicas();
    let fault = disturbance.recorder.fault("evict every pod, from the last to the first");
    let mut refused = 0;
    for pod in before.iter().rev() {
        refused += allowed(&disturbance, &pod.name_any()).await?;
    }
    let old: Vec<_> = before.iter().filter_map(ResourceExt::uid).collect();
    let (kind, name) = deployed.workload()?;
    let gone = |state: &kubernetes::watch::State| {
        let pods = state.pods_of(kind, name);
        match pods.iter().filter(|pod| pod.uid().is_some_and(|uid| old.contains(&uid))).count() {
            0 => Ok(()),
            left => Err(format!("{left} left")),
        }
    };
    cx.wait.until(&deployed.watch, "every evicted pod gone", gone).await?;
    disturbance.settled_again(fault).await?;
    disturbance.recorder.evidence(fault, format!("{} pods replaced", old.len()));
    let note = disturbance.end().await?;
    let has_budget = deployed.tested.as_ref().is_some_and(|workload| workload.disruption_budget.is_some());
    ensure!(
        refused > 0 || replicas < 2 || !has_budget,
        "{replicas} pods were evicted in quick succession and no eviction was refused: the disruption budget has no \
         effect"
    );
    Ok(format!("{note}; {refused} evictions refused and retried"))
}

/// Evicts a pod as soon as that is allowed; returns how often it was refused.
async fn allowed(disturbance: &Disturbance<'_>, name: &str) -> anyhow::Result<u32> {
    let mut refused = 0;
    let ask = async || match evict(&disturbance.deployed, name).await {
        Ok(None) => Ok(Ok(())),
        Ok(Some(why)) => {
            refused += 1;
            Err(why)
        }
        Err(error) => Ok(Err(error)),
    };
    let (wait, watch) = (&disturbance.cx.wait, &disturbance.deployed.watch);
    wait.ask_until(watch, &format!("the eviction of Pod/{name} is allowed"), ask).await??;
    Ok(refused)
}
