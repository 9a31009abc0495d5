//! The Deployment controller: replaces the pods of one template by those of the next.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{Controller, ControllerContext, Key, ReconcileResult, owners, percent, pods};
use crate::client::Client;
use crate::status::Status;
use crate::store::{self, Change, ChangeType};

mod conditions;
mod progress;
mod scale;
mod sets;
#[cfg(test)]
mod tests;

use sets::ReplicaSets;

const COMPONENT: &str = "deployment-controller";

/// Rolls deployments out.
pub const CONTROLLER: Controller = Controller { name: "deployment", keys, reconcile };

fn keys(client: &Client, change: &Change) -> Vec<Key> {
    match change.kind.built_in() {
        "Deployment" => vec![store::key(&change.object)],
        "ReplicaSet" => owners::keys::<Deployment>(client, change),
        // `Recreate` waits until the last of the old pods is gone.
        "Pod" if change.change == ChangeType::Deleted => of_pod(client, change).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn of_pod(client: &Client, change: &Change) -> Option<Key> {
    let (namespace, _) = store::key(&change.object);
    let owners = change.object["metadata"]["ownerReferences"].as_array()?;
    let set = owners.iter().find(|owner| owner["controller"] == true && owner["kind"] == "ReplicaSet")?;
    let set = client.get::<ReplicaSet>(&namespace, set["name"].as_str()?)?;
    let owner = owners::controller(&set.metadata).filter(|owner| owner.kind == "Deployment")?;
    Some((namespace, owner.name.clone()))
}

/// A deployment, with its computed numbers.
struct Rollout<'a> {
    client: &'a Client,
    deployment: Deployment,
    spec: DeploymentSpec,
    replicas: i32,
    max_surge: i32,
    max_unavailable: i32,
}

fn reconcile(context: &ControllerContext, (namespace, name): &Key) -> ReconcileResult {
    let Some(deployment) = context.client.get::<Deployment>(namespace, name) else { return Ok(None) };
    let Some(spec) = deployment.spec.clone() else { return Ok(None) };
    let mut rollout = Rollout::new(&context.client, deployment, spec);
    let mut sets = ReplicaSets::of(&rollout)?;
    if rollout.deployment.metadata.deletion_timestamp.is_some() {
        return progress::write(&rollout, &sets);
    }
    if rollout.spec.paused == Some(true) || scale::is_needed(&rollout, &sets) {
        scale::run(&rollout, &mut sets)?;
        return progress::write(&rollout, &sets);
    }
    let done = if rollout.is_recreate() { recreate(&mut rollout, &mut sets)? } else { roll(&mut rollout, &mut sets)? };
    if done && progress::is_complete(&rollout) {
        sets.clean_up(&rollout)?;
    }
    progress::write(&rollout, &sets)
}

impl<'a> Rollout<'a> {
    fn new(client: &'a Client, deployment: Deployment, spec: DeploymentSpec) -> Self {
        let replicas = spec.replicas.unwrap_or(1);
        let rolling = spec.strategy.as_ref().and_then(|s| s.rolling_update.clone()).unwrap_or_default();
        let quarter = IntOrString::String("25%".to_owned());
        let mut rollout = Self { client, deployment, spec, replicas, max_surge: 0, max_unavailable: 0 };
        if rollout.is_recreate() {
            return rollout;
        }
        rollout.max_surge = percent::scaled_up(rolling.max_surge.as_ref().unwrap_or(&quarter), replicas);
        let unavailable = percent::scaled_down(rolling.max_unavailable.as_ref().unwrap_or(&quarter), replicas);
        let stuck = rollout.max_surge == 0 && unavailable == 0;
        rollout.max_unavailable = if stuck { 1 } else { unavailable.min(replicas) };
        rollout
    }

    fn is_recreate(&self) -> bool {
        self.spec.strategy.as_ref().and_then(|s| s.type_.as_deref()) == Some("Recreate")
    }
}

/// Performs one step of a rolling update; returns whether there was nothing to do.
fn roll(rollout: &mut Rollout, sets: &mut ReplicaSets) -> Result<bool, Status> {
    sets.ensure_new(rollout)?;
    if grow_new(rollout, sets)? {
        return Ok(false);
    }
    Ok(!shrink_old(rollout, sets)?)
}

/// Scales the new set up as far as `maxSurge` allows, or down to the requested size.
fn grow_new(rollout: &Rollout, sets: &mut ReplicaSets) -> Result<bool, Status> {
    let Some(new) = &sets.new else { return Ok(false) };
    let size = sets::replicas(new);
    let target = if size > rollout.replicas { rollout.replicas } else { sets.room_for_new(rollout, size) };
    sets.scale_new(rollout, target)
}

/// Scales old sets down as long as enough pods stay available, sets with unavailable pods first.
fn shrink_old(rollout: &Rollout, sets: &mut ReplicaSets) -> Result<bool, Status> {
    let old: i32 = sets.old.iter().map(sets::replicas).sum();
    if old == 0 {
        return Ok(false);
    }
    let least = rollout.replicas - rollout.max_unavailable;
    let unavailable_new = sets.new.as_ref().map_or(0, |new| sets::replicas(new) - sets::available(new));
    let mut most = sets.total() - least - unavailable_new;
    if most <= 0 {
        return Ok(false);
    }
    let mut scaled = false;
    for index in 0..sets.old.len() {
        let (size, available) = (sets::replicas(&sets.old[index]), sets::available(&sets.old[index]));
        let broken = (size - available).clamp(0, most);
        most -= broken;
        scaled |= sets.scale_old(rollout, index, size - broken)?;
    }
    let mut spare = sets.available() - least;
    for index in 0..sets.old.len() {
        let size = sets::replicas(&sets.old[index]);
        let fewer = size.clamp(0, spare.max(0));
        spare -= fewer;
        scaled |= sets.scale_old(rollout, index, size - fewer)?;
    }
    Ok(scaled)
}

/// Performs one step of a recreation: first all old pods, then all new ones.
fn recreate(rollout: &mut Rollout, sets: &mut ReplicaSets) -> Result<bool, Status> {
    let mut scaled = false;
    for index in 0..sets.old.len() {
        scaled |= sets.scale_old(rollout, index, 0)?;
    }
    if scaled || old_pods_run(rollout, sets) {
        return Ok(false);
    }
    sets.ensure_new(rollout)?;
    Ok(!sets.scale_new(rollout, rollout.replicas)?)
}

fn old_pods_run(rollout: &Rollout, sets: &ReplicaSets) -> bool {
    let pods = rollout.client.list::<Pod>(rollout.deployment.metadata.namespace.as_deref());
    let of_old = |pod: &&Pod| sets.old.iter().any(|set| owners::is_controlled_by(&pod.metadata, set));
    pods.iter().filter(of_old).any(|pod| !pods::is_finished(pod))
}
