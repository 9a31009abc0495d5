//! What the charts create outside of the run's namespaces: objects for the whole cluster, and objects in namespaces of
//! others. On a cluster that others use, a flag must allow them, and topologies that create the same ones take turns.

use std::collections::BTreeSet;

use futures::future::try_join_all;
use kube::discovery::Scope;
use serde_json::Value;

use super::Run;
use console::exit::usage;
use kubernetes::object_ref::{self, ObjectRef};
use kubernetes::scope;
use suite::{Namespaces, Variant};
use tools::helm;

/// How many objects a message names.
const NAMED_MAX: usize = 5;

/// An object that a release creates outside of its topology's namespaces.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Outside {
    /// The object.
    pub object: ObjectRef,
    /// Whether it is a hook, which helm replaces if it exists.
    pub is_hook: bool,
}

impl Run {
    /// Whether the run may create objects outside of its namespaces.
    ///
    /// # Errors
    /// If the cluster is one that others use, and no flag allows it.
    pub fn allow_outside(&self, release: &str, outside: &BTreeSet<Outside>) -> anyhow::Result<()> {
        if outside.is_empty() || !self.cluster.is_foreign() || self.settings.allow_cluster_objects {
            return Ok(());
        }
        let names: Vec<_> = outside.iter().map(|one| one.object.to_string()).take(NAMED_MAX).collect();
        let more = match outside.len().saturating_sub(NAMED_MAX) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        Err(usage(format!(
            "release {release} creates objects outside of the run's namespaces, and {} is an existing cluster: {}{more}; \
             pass --allow-cluster-objects, or use --cluster kind or embedded",
            self.cluster.name(),
            names.join(", ")
        )))
    }

    /// Checks before the run whether its topologies may create what they create outside of their namespaces, and can
    /// be kept side by side. If helm can't render a chart, the case `chart::template` reports it.
    ///
    /// # Errors
    /// A usage error that names the objects and the flag.
    pub async fn check_outside(&self, keep: bool) -> anyhow::Result<()> {
        if self.cluster.is_foreign() && !self.settings.allow_cluster_objects {
            for variant in self.subject.about() {
                let Ok(rendered) = self.render(variant).await else { continue };
                for (release, objects) in variant.suite.releases.iter().zip(rendered.iter()) {
                    let definitions = self.definitions(release).await?;
                    self.allow_outside(&release.key(), &self.outside(variant, objects, &definitions).await?)?;
                }
            }
        }
        match self.turns().await.into_iter().find(|_| keep) {
            None => Ok(()),
            Some(turn) => Err(usage(format!(
                "--keep: {}, so they can't be kept side by side; choose one with --replicas or a filter",
                turn.why
            ))),
        }
    }

    /// Returns what a release of a variant creates outside of the variant's namespaces.
    ///
    /// # Errors
    /// If the cluster does not respond to the question for the scope of a kind.
    pub async fn outside(
        &self,
        variant: &Variant,
        objects: &[Value],
        definitions: &[Value],
    ) -> anyhow::Result<BTreeSet<Outside>> {
        let namespaces = variant.namespaces(&self.id);
        let found = objects.iter().chain(definitions).map(async |object| {
            let is_cluster_scoped = self.is_cluster_scoped(object, objects, definitions).await?;
            anyhow::Ok(outside_of(&namespaces, object, is_cluster_scoped))
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    /// Returns whether an object belongs to the whole cluster: Kubernetes' own kinds are known, the chart defines some
    /// others, and the cluster is asked for the rest, once it responds.
    async fn is_cluster_scoped(
        &self,
        object: &Value,
        objects: &[Value],
        definitions: &[Value],
    ) -> anyhow::Result<bool> {
        let ObjectRef { api_version, kind, .. } = ObjectRef::of(object);
        if scope::is_built_in(&api_version) {
            return Ok(scope::is_cluster_scoped(&api_version, &kind));
        }
        if let Some(definition) = objects.iter().chain(definitions).find(|one| defines(one, &api_version, &kind)) {
            return Ok(definition["spec"]["scope"] == "Cluster");
        }
        let Some(live) = self.made.live.get() else { return Ok(false) };
        let served = object_ref::served(&live.client, &api_version, &kind).await?;
        Ok(matches!(served, Some((_, Scope::Cluster))))
    }

    /// Returns the custom resource definitions in the `crds/` of a release's chart and its dependencies, which helm does
    /// not render.
    ///
    /// # Errors
    /// If helm can't read the chart.
    pub async fn definitions(&self, release: &suite::Release) -> anyhow::Result<Vec<Value>> {
        helm::definitions(&self.launcher, &self.helm, &self.charts.folder(&release.source)).await
    }

    /// Returns the groups of topologies that can't run side by side, because they create the same objects.
    pub async fn turns(&self) -> Vec<Turns> {
        let mut turns: Vec<Turns> = Vec::new();
        if self.subject.about.len() < 2 {
            return turns;
        }
        for index in &self.subject.about {
            let Some(variant) = self.subject.variants.get(*index) else { continue };
            let Ok(rendered) = self.render(variant).await else { continue };
            let mut outside = BTreeSet::new();
            for objects in rendered.iter() {
                outside.extend(self.outside(variant, objects, &[]).await.unwrap_or_default());
            }
            join(&mut turns, *index, &variant.label(), outside.into_iter().map(|one| one.object).collect());
        }
        turns.retain(|turn| turn.variants.len() > 1);
        turns
    }
}

/// Topologies that run one after another.
#[derive(Debug)]
pub struct Turns {
    /// Their indexes among the run's variants.
    pub variants: BTreeSet<usize>,
    /// Why: `web-r1 and web-r3 both create ClusterRole/web`.
    pub why: String,
    objects: BTreeSet<ObjectRef>,
    label: String,
}

/// Adds a topology to the group with which it shares an object; several such groups become one.
fn join(turns: &mut Vec<Turns>, index: usize, label: &str, objects: BTreeSet<ObjectRef>) {
    let mut joined = Turns { variants: [index].into(), why: String::new(), objects, label: label.to_owned() };
    for other in std::mem::take(turns) {
        let shared = joined.objects.intersection(&other.objects).next().map(ToString::to_string);
        match shared {
            None => turns.push(other),
            Some(object) => {
                joined.why = format!("{} and {label} both create {object}", other.label);
                joined.variants.extend(other.variants);
                joined.objects.extend(other.objects);
            }
        }
    }
    turns.push(joined);
}

/// Whether an object is the definition of a custom kind.
pub fn defines(object: &Value, api_version: &str, kind: &str) -> bool {
    let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
    let spec = &object["spec"];
    object["kind"] == "CustomResourceDefinition" && spec["names"]["kind"] == kind && spec["group"] == group
}

fn outside_of(namespaces: &Namespaces, object: &Value, is_cluster_scoped: bool) -> Option<Outside> {
    let mut reference = ObjectRef::of(object);
    if is_cluster_scoped {
        reference.namespace = None;
    } else if reference.namespace.as_ref().is_none_or(|namespace| namespaces.0.values().any(|own| own == namespace)) {
        return None;
    }
    let is_hook = !object["metadata"]["annotations"]["helm.sh/hook"].is_null();
    Some(Outside { object: reference, is_hook })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn namespaces() -> Namespaces {
        Namespaces([(String::new(), "own".to_owned())].into())
    }

    fn found(object: &Value, is_cluster_scoped: bool) -> Option<String> {
        outside_of(&namespaces(), object, is_cluster_scoped).map(|one| one.object.to_string())
    }

    #[test]
    fn an_object_in_a_namespace_of_others_is_outside_too() {
        let role = |namespace: &str| json!({ "kind": "Role", "metadata": { "name": "a", "namespace": namespace } });
        assert_eq!(found(&role("kube-system"), false), Some("Role/a in kube-system".to_owned()));
        assert_eq!(found(&role("own"), false), None);
        assert_eq!(found(&json!({ "kind": "Role", "metadata": { "name": "a" } }), false), None, "helm's namespace");
        assert_eq!(found(&role("own"), true), Some("Role/a".to_owned()), "a namespace that has no meaning");
    }

    #[test]
    fn topologies_that_share_an_object_take_turns() {
        let of = |names: &[&str]| {
            names
                .iter()
                .map(|name| ObjectRef::of(&json!({ "kind": "ClusterRole", "metadata": { "name": name } })))
                .collect()
        };
        let mut turns = Vec::new();
        join(&mut turns, 0, "a", of(&["x"]));
        join(&mut turns, 1, "b", of(&["y"]));
        join(&mut turns, 2, "c", of(&[]));
        assert_eq!(turns.len(), 3);
        join(&mut turns, 3, "d", of(&["x", "y"]));
        let together = turns.iter().find(|turn| turn.variants.len() > 1).unwrap();
        assert_eq!(together.variants, [0, 1, 3].into());
        assert_eq!(together.why, "b and d both create ClusterRole/y");
    }
}
