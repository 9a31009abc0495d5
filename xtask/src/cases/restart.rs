//! `restart`: every pod of the release is deleted and replaced, and a record written before still exists.

use std::sync::Arc;

use anyhow::ensure;
use client::application::Record;
use kube::ResourceExt;
use kube::api::DeleteParams;

use super::ready;
use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use super::support::untouched::Untouched;
use super::support::{one_record, rolled_out};
use crate::deployed_release::DeployedRelease;
use crate::deployed_topology::DeployedTopology;
use kubernetes::{call, objects};
use suite::CaseKind;

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "restart",
        summary: "every pod of the release is replaced, and a record written before can be read through each replica",
        needs: &[&ready::CASE.kind],
        takes_release: true,
        ..CaseKind::DEFAULT
    },
    run: |cx| passing(run(cx)),
};

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let deployed = cx.deployed()?;
    let deployed_release = cx.deployed_release(&deployed)?;
    rolled_out::rolled_out(cx, deployed_release).await?;
    let record = match deployed.records() {
        Ok(_) => Some(written(cx, &deployed).await?),
        Err(_) => None,
    };
    let before = Untouched::of(deployed_release);
    ensure!(before.count() > 0, "release {} has no ready pod to restart", deployed_release.release.key());
    delete_all(cx, &deployed, deployed_release).await?;
    rolled_out::rolled_out(cx, deployed_release).await?;
    ensure!(before.check().is_err(), "no pod of {} was replaced", deployed_release.release.key());
    let data = match record {
        Some(record) => read_through_all(cx, &deployed, &record).await?,
        None => "data not checked: no [records]".to_owned(),
    };
    Ok(format!("{} pods of {} replaced; {data}", before.count(), deployed_release.release.key()))
}

async fn written(cx: &CaseContext, deployed: &DeployedTopology) -> anyhow::Result<Record> {
    let writer = deployed.names(cx.replicas()?).first().cloned().unwrap_or_default();
    one_record::write(cx, deployed, &writer).await
}

async fn read_through_all(cx: &CaseContext, deployed: &DeployedTopology, record: &Record) -> anyhow::Result<String> {
    let readers = deployed.names(cx.replicas()?);
    ensure!(!readers.is_empty(), "there is no replica to read the record through");
    for reader in &readers {
        one_record::expect(cx, deployed, reader, record).await?;
    }
    Ok(format!("the record was read through {}", readers.join(", ")))
}

/// Deletes every pod of a release, and waits until they are gone.
async fn delete_all(
    cx: &CaseContext,
    deployed: &Arc<DeployedTopology>,
    deployed_release: &DeployedRelease,
) -> anyhow::Result<()> {
    let pods: kube::Api<k8s_openapi::api::core::v1::Pod> =
        kube::Api::namespaced(deployed.client.clone(), deployed_release.watch.namespace());
    let mut old = deployed_release.pods();
    // A pod without a controller would not be replaced.
    old.retain(|pod| !pod.owner_references().is_empty());
    for pod in &old {
        let name = pod.name_any();
        call(&format!("deleting Pod/{name}"), pods.delete(&name, &DeleteParams::default())).await?;
    }
    let uids: Vec<_> = old.iter().filter_map(ResourceExt::uid).collect();
    let gone = |_: &_| {
        let left = deployed_release.pods().into_iter().find(|pod| pod.uid().is_some_and(|uid| uids.contains(&uid)));
        left.map_or(Ok(()), |pod| Err(format!("Pod/{} {}", pod.name_any(), objects::pod_line(&pod))))
    };
    cx.wait.until(&deployed_release.watch, "the old pods gone", gone).await
}
