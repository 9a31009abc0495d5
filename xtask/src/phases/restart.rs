//! `restart`: every pod of a release is deleted and replaced, and what was written before is still there.

use std::sync::Arc;

use anyhow::ensure;
use kube::ResourceExt;
use kube::api::DeleteParams;

use super::context::Cx;
use super::untouched::Untouched;
use super::{rolled_out, write_read};
use crate::placed::Placed;
use crate::stage::Stage;
use kubernetes::{call, objects};

/// Runs the case.
pub async fn run(cx: &Cx) -> anyhow::Result<String> {
    let stage = cx.stage()?;
    let placed = cx.placed(&stage)?;
    rolled_out::rolled_out(cx, placed).await?;
    let writer = stage.names(cx.replicas()?).first().cloned().unwrap_or_default();
    let record = write_read::write(cx, &stage, &writer).await?;
    let before = Untouched::of(placed);
    ensure!(before.count() > 0, "release {} has no ready pod to restart", placed.release.key());
    delete_all(cx, &stage, placed).await?;
    rolled_out::rolled_out(cx, placed).await?;
    ensure!(before.check().is_err(), "the pods of {} are the same as before: nothing is proven", placed.release.key());
    let readers = stage.names(cx.replicas()?);
    ensure!(!readers.is_empty(), "no replica is there to read the record through");
    for reader in &readers {
        write_read::expect(cx, &stage, reader, &record).await?;
    }
    Ok(format!(
        "{} pods of {} replaced, the record is there through {}",
        before.count(),
        placed.release.key(),
        readers.join(", ")
    ))
}

/// Deletes every pod of a release, and waits until they are gone.
async fn delete_all(cx: &Cx, stage: &Arc<Stage>, placed: &Placed) -> anyhow::Result<()> {
    let pods: kube::Api<k8s_openapi::api::core::v1::Pod> =
        kube::Api::namespaced(stage.client.clone(), placed.watch.namespace());
    let mut old = placed.pods();
    // Nothing makes a pod without a controller again.
    old.retain(|pod| !pod.owner_references().is_empty());
    for pod in &old {
        let name = pod.name_any();
        call(&format!("deleting Pod/{name}"), pods.delete(&name, &DeleteParams::default())).await?;
    }
    let uids: Vec<_> = old.iter().filter_map(ResourceExt::uid).collect();
    let gone = |_: &_| {
        let left = placed.pods().into_iter().find(|pod| pod.uid().is_some_and(|uid| uids.contains(&uid)));
        left.map_or(Ok(()), |pod| Err(format!("Pod/{} {}", pod.name_any(), objects::pod_line(&pod))))
    };
    cx.wait.until(&placed.watch, "the old pods gone", gone).await
}
