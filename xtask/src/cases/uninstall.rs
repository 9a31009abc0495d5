//! `uninstall`: `helm uninstall` leaves nothing of a release behind except its claims.
//!
//! A namespace also contains objects that the cluster itself creates. These are the objects that it had before the
//! first release; if an object without any mark of a release remains, it is also compared with an empty namespace.

use std::collections::BTreeSet;

use anyhow::ensure;
use k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim};
use kube::api::{DeleteParams, DynamicObject, ListParams};
use kube::core::{ApiResource, PartialObjectMeta};
use kube::{Api, ResourceExt};
use tokio::sync::OnceCell;

use super::install;
use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use super::support::outside;
use crate::deployed_release::DeployedRelease;
use crate::deployed_topology::{self, DeployedTopology};
use crate::workload::inside;
use kubernetes::baseline::Baseline;
use kubernetes::contents::{self, Kinds};
use kubernetes::object_ref::ObjectRef;
use kubernetes::watch::Watch;
use kubernetes::{call, objects};
use suite::{CaseKind, PodSecurity};

/// Kinds that remain on purpose, or that the cluster creates.
const STAY: [&str; 5] = ["PersistentVolumeClaim", "Event", "Lease", "PodMetrics", "LocalSubjectAccessReview"];
/// The annotation that helm gives every object of a release.
const RELEASE: &str = "meta.helm.sh/release-name";
/// The label that charts give their objects, and that controllers copy.
const INSTANCE: &str = "app.kubernetes.io/instance";

/// An object that remains in a namespace.
struct Left {
    kind: String,
    object: PartialObjectMeta<DynamicObject>,
    line: String,
    /// Whether it is known to belong to a release.
    is_marked: bool,
}

/// An empty namespace, created only if it is needed.
struct Empty(OnceCell<String>);

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "uninstall",
        summary: "nothing of a release remains, neither in its namespaces nor outside of them, except its claims, \
                  what its hooks created, which helm leaves, and definitions of custom resources that it keeps. A \
                  claim that is being deleted, or goes with its StatefulSet, does not count as kept. The case's line \
                  names API groups that the cluster can't serve at that moment",
        needs: &[&install::CASE.kind],
        keeps_replicas: false,
        cleans_up: true,
        ..CaseKind::DEFAULT
    },
    run: |cx| passing(run(cx)),
};

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let deployed = cx.deployed()?;
    let before = claims(&deployed).await?;
    inside::remove_all(&deployed).await?;
    let mut outside = BTreeSet::new();
    for deployed_release in deployed.releases.iter().rev() {
        outside.append(&mut outside::gone_with(cx, deployed_release).await?);
        deployed_release.helm.cmd("uninstall").timeout(cx.wait.left()).run().await?;
    }
    let mut kinds = kinds(&deployed).await?;
    let empty = Empty(OnceCell::new());
    for watch in deployed.watches() {
        gone(cx, &deployed, &watch, &mut kinds, &empty).await?;
    }
    empty.remove(&deployed).await?;
    outside_gone(cx, &deployed, &outside).await?;
    let lost = lost(&before, &claims(&deployed).await?);
    ensure!(
        lost.is_empty(),
        "{} of {} claims don't outlive the release: {}",
        lost.len(),
        before.len(),
        lost.join("; ")
    );
    let elsewhere = match outside.len() {
        0 => String::new(),
        count => format!("; {count} objects outside of its namespaces are gone"),
    };
    Ok(format!("{} claims kept{elsewhere}{}", before.len(), not_checked(&kinds)))
}

/// Waits until nothing is left that the releases created outside of their namespaces.
async fn outside_gone(
    cx: &CaseContext,
    deployed: &DeployedTopology,
    objects: &BTreeSet<ObjectRef>,
) -> anyhow::Result<()> {
    let gone = async || match cluster::outside::existing(&deployed.client, objects).await {
        Ok(left) if left.is_empty() => Ok(()),
        Ok(left) => Err(left.join(", ")),
        Err(error) => Err(format!("{error:#}")),
    };
    cx.wait.ask_until(&deployed.watch, "nothing left outside of the release's namespaces", gone).await
}

/// Returns the claims that must outlive the releases, without those of ephemeral volumes, which are deleted with their
/// pod.
async fn claims(deployed: &DeployedTopology) -> anyhow::Result<Vec<PersistentVolumeClaim>> {
    let mut found = Vec::new();
    for watch in deployed.watches() {
        let claims: Api<PersistentVolumeClaim> = Api::namespaced(deployed.client.clone(), watch.namespace());
        found.extend(call("listing claims", claims.list(&ListParams::default())).await?.items);
    }
    found.retain(|claim| objects::controller(claim, "Pod").is_none());
    Ok(found)
}

/// Returns the claims that are gone or will be deleted, each with the reason.
fn lost(before: &[PersistentVolumeClaim], after: &[PersistentVolumeClaim]) -> Vec<String> {
    let why = |claim: &PersistentVolumeClaim| {
        let Some(now) = after.iter().find(|now| now.uid() == claim.uid()) else { return Some("gone".to_owned()) };
        let owner = now.owner_references().iter().find(|owner| owner.kind == "StatefulSet");
        match owner {
            _ if now.metadata.deletion_timestamp.is_some() => Some("being deleted".to_owned()),
            Some(owner) => Some(format!("deleted with its owner {}/{}", owner.kind, owner.name)),
            None => None,
        }
    };
    let lost = before.iter().filter(|claim| claim.metadata.deletion_timestamp.is_none());
    lost.filter_map(|claim| Some(format!("PersistentVolumeClaim/{} is {}", claim.name_any(), why(claim)?))).collect()
}

/// Waits until a namespace contains nothing of a release except what may remain.
async fn gone(
    cx: &CaseContext,
    deployed: &DeployedTopology,
    watch: &Watch,
    kinds: &mut Kinds,
    empty: &Empty,
) -> anyhow::Result<()> {
    let gone = async || match left(cx, deployed, watch.namespace(), kinds, empty).await {
        Ok(left) if left.is_empty() => Ok(()),
        Ok(left) => Err(left.into_iter().map(|one| one.line).collect::<Vec<_>>().join(", ")),
        Err(error) => {
            // Discover the kinds again, since a group may have become unavailable.
            *kinds = Kinds::default();
            Err(format!("{error:#}"))
        }
    };
    cx.wait.ask_until(watch, "nothing left except claims", gone).await
}

/// Returns every kind of which nothing may remain.
async fn kinds(deployed: &DeployedTopology) -> anyhow::Result<Kinds> {
    let mut kinds = contents::kinds(&deployed.client).await?;
    kinds.listable.retain(|kind| !STAY.contains(&kind.kind.as_str()));
    Ok(kinds)
}

/// Describes the API groups that the cluster can't serve now, and that are therefore not checked.
fn not_checked(kinds: &Kinds) -> String {
    match kinds.unavailable.join(", ") {
        none if none.is_empty() => none,
        groups => format!("; not checked, since the cluster can't serve them now: {groups}"),
    }
}

async fn left(
    cx: &CaseContext,
    deployed: &DeployedTopology,
    namespace: &str,
    known: &mut Kinds,
    empty: &Empty,
) -> anyhow::Result<Vec<Left>> {
    if known.listable.is_empty() {
        *known = kinds(deployed).await?;
    }
    let lists = known.listable.iter().map(|kind| left_of_kind(deployed, namespace, kind));
    let mut left = futures::future::try_join_all(lists).await?.into_iter().flatten().collect::<Vec<_>>();
    // Wait for the release's own objects first; only then is the comparison with an empty namespace worthwhile.
    if !left.is_empty() && left.iter().all(|one| !one.is_marked) {
        let common = Baseline::of(&deployed.client, empty.name(cx, deployed).await?, &known.listable).await?;
        left.retain(|one| !common.covers(&one.kind, &one.object));
    }
    Ok(left)
}

async fn left_of_kind(deployed: &DeployedTopology, namespace: &str, kind: &ApiResource) -> anyhow::Result<Vec<Left>> {
    let found = contents::list(&deployed.client, namespace, kind).await?.into_iter();
    let baseline = deployed.baselines.get(namespace);
    let left = found.filter(|object| !is_expected(deployed, kind, object)).map(|object| Left {
        kind: kind.kind.clone(),
        line: contents::line(kind, &object),
        is_marked: is_marked(deployed, kind, &object),
        object,
    });
    Ok(left.filter(|one| one.is_marked || !baseline.is_some_and(|all| all.covers(&one.kind, &one.object))).collect())
}

/// Whether an object may remain: the suite's Secrets, and what hooks created, which helm leaves.
fn is_expected(deployed: &DeployedTopology, kind: &ApiResource, object: &PartialObjectMeta<DynamicObject>) -> bool {
    let name = object.name_any();
    let is_secret = kind.kind == "Secret" && deployed.suite.secrets.iter().any(|secret| secret.name == name);
    let owner = objects::controller(object, "Job");
    let of_hook = owner
        .is_some_and(|job| deployed.releases.iter().flat_map(DeployedRelease::all_hook_jobs).any(|hook| hook == job));
    is_secret || of_hook || object.annotations().contains_key("helm.sh/hook")
}

/// Whether an object is marked as part of a release: by helm's annotation, by the chart's label, by its name in the
/// chart, or by being deleted. Objects that the cluster creates in every namespace have none of these.
fn is_marked(deployed: &DeployedTopology, kind: &ApiResource, object: &PartialObjectMeta<DynamicObject>) -> bool {
    let names: BTreeSet<&str> =
        deployed.releases.iter().map(|deployed_release| deployed_release.release.name.as_str()).collect();
    let names_release = |value: Option<&String>| value.is_some_and(|value| names.contains(value.as_str()));
    let in_chart =
        |deployed_release: &DeployedRelease| deployed_release.object(&kind.kind, &object.name_any()).is_some();
    names_release(object.annotations().get(RELEASE))
        || names_release(object.labels().get(INSTANCE))
        || deployed.releases.iter().any(in_chart)
        || object.metadata.deletion_timestamp.is_some()
}

impl Empty {
    /// Returns its name; creates it if it does not exist.
    async fn name(&self, cx: &CaseContext, deployed: &DeployedTopology) -> anyhow::Result<&str> {
        let made = self.0.get_or_try_init(async || {
            let name = format!("chartproof-empty-{}-{}", cx.run.id, cx.variant.unwrap_or_default());
            deployed_topology::create_namespace(&deployed.client, &name, &cx.run.id, PodSecurity::default(), false)
                .await?;
            anyhow::Ok(name)
        });
        made.await.map(String::as_str)
    }

    /// Deletes it, if it was created. If the case fails, it is deleted with the run's other namespaces.
    async fn remove(&self, deployed: &DeployedTopology) -> anyhow::Result<()> {
        let Some(name) = self.0.get() else { return Ok(()) };
        let namespaces: Api<Namespace> = Api::all(deployed.client.clone());
        call(&format!("deleting Namespace/{name}"), namespaces.delete(name, &DeleteParams::default())).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn claim(uid: &str, more: &Value) -> PersistentVolumeClaim {
        let mut metadata = json!({ "name": format!("data-{uid}"), "uid": uid });
        metadata.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(json!({ "metadata": metadata })).unwrap()
    }

    #[test]
    fn a_claim_that_is_being_deleted_is_not_kept() {
        let owned = json!({ "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "uid": "s" }] });
        let deleted = json!({ "deletionTimestamp": "2026-11-21T10:00:00Z" });
        let before = ["a", "b", "c", "d"].map(|uid| claim(uid, &json!({})));
        let after = [claim("a", &json!({})), claim("b", &deleted), claim("d", &owned)];
        assert_eq!(
            lost(&before, &after),
            [
                "PersistentVolumeClaim/data-b is being deleted",
                "PersistentVolumeClaim/data-c is gone",
                "PersistentVolumeClaim/data-d is deleted with its owner StatefulSet/db",
            ]
        );
        assert!(lost(&before, &before).is_empty());
        assert!(lost(&[claim("b", &deleted)], &[]).is_empty(), "it was being deleted before");
    }
}
