//! Prepares the cluster for what a release creates outside of its namespaces, so that it can be deleted with the run.

use std::collections::BTreeSet;

use anyhow::bail;
use serde_json::Value;

use super::context::CaseContext;
use crate::deployed_release::DeployedRelease;
use cluster::outside;
use kubernetes::object_ref::ObjectRef;

/// Checks that the release may create what it creates outside of its namespaces, removes what an earlier topology of
/// this run left there, and records the rest in the release's namespace.
///
/// # Errors
/// If it may not, or if a hook would replace an object of somebody else.
pub async fn prepare(cx: &CaseContext, release: &DeployedRelease) -> anyhow::Result<()> {
    let variant = cx.variant()?;
    let definitions = cx.run.definitions(&release.release).await?;
    let outside = cx.run.outside(variant, &release.objects, &definitions).await?;
    cx.run.allow_outside(&release.release.key(), &outside)?;
    let client = &cx.run.live()?.client;
    let (mut own, mut earlier) = (BTreeSet::new(), BTreeSet::new());
    for one in outside {
        let found = one.object.metadata(client).await?;
        let namespace = found.as_ref().and_then(outside::release_namespace);
        match &found {
            Some(_) if namespace.is_some_and(|namespace| is_of_other_topology(cx, namespace)) => {
                earlier.insert(one.object.clone());
            }
            Some(_) if namespace == Some(release.helm.namespace.as_str()) => {}
            Some(object) if outside::is_of_run(object, &cx.run.id) => {}
            Some(_) if one.is_hook => {
                bail!("{} exists, and helm would replace it with a hook of the release; rename one of them", one.object)
            }
            // helm refuses to take it over, or, from `crds/`, leaves it as it is.
            Some(_) => continue,
            None => {}
        }
        own.insert(one.object);
    }
    outside::delete_all(client, &earlier).await?;
    if own.is_empty() { Ok(()) } else { outside::record(client, &release.helm.namespace, &own).await }
}

/// Returns the objects of a deployed release that are outside of its namespaces and that must be gone without it. A
/// definition of custom resources may be kept: others may have resources of that kind, which would be deleted with it.
///
/// # Errors
/// If helm can't return the release's objects.
pub async fn gone_with(cx: &CaseContext, release: &DeployedRelease) -> anyhow::Result<BTreeSet<ObjectRef>> {
    let mut objects = release.helm.made().await?;
    let is_kept = |object: &Value| object["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep";
    objects.retain(|object| object["kind"] != "CustomResourceDefinition" || !is_kept(object));
    Ok(cx.run.outside(cx.variant()?, &objects, &[]).await?.into_iter().map(|one| one.object).collect())
}

/// Whether a namespace belongs to another topology of this run. It has ended: topologies with the same objects take turns.
fn is_of_other_topology(cx: &CaseContext, namespace: &str) -> bool {
    let others = cx.run.subject.variants.iter().enumerate().filter(|(index, _)| Some(*index) != cx.variant);
    others.flat_map(|(_, variant)| variant.namespaces(&cx.run.id).0.into_values()).any(|own| own == namespace)
}
