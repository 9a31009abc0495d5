//! One pass over a set: the next step that its order allows, as in Kubernetes' controller.

use std::time::Duration;

use k8s_openapi::api::apps::v1::{RollingUpdateStatefulSetStrategy, StatefulSet, StatefulSetSpec, StatefulSetStatus};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{COMPONENT, claims, count, identity, some};
use crate::client::Client;
use crate::controllers::pods::{self, Availability};
use crate::controllers::reconcile::is_namespace_ending;
use crate::controllers::revisions::{self, Revisions};
use crate::controllers::{clock, events, owners};
use crate::registry::DeleteOptions;
use crate::status::Status;

/// Whether the pass may go on to the next pod.
#[derive(PartialEq, Eq)]
enum PassStep {
    Next,
    Stop,
}

/// The input and the state of one pass.
pub struct Pass<'a> {
    client: &'a Client,
    set: &'a StatefulSet,
    spec: &'a StatefulSetSpec,
    revisions: &'a Revisions,
    all: &'a [Pod],
    /// By ordinal, from the first; `None` if there is no pod.
    replicas: Vec<Option<&'a Pod>>,
    /// Pods beyond the requested ordinals, the highest first.
    condemned: Vec<&'a Pod>,
    /// `OrderedReady`: one pod at a time.
    monotonic: bool,
    /// Pods at the current revision that this pass deleted for the update.
    deleted: i32,
}

impl<'a> Pass<'a> {
    /// Returns a pass over the set's listed pods.
    pub fn new(
        client: &'a Client,
        set: &'a StatefulSet,
        spec: &'a StatefulSetSpec,
        revisions: &'a Revisions,
        all: &'a [Pod],
    ) -> Self {
        let start = identity::start(spec);
        let wanted = spec.replicas.unwrap_or(1).max(0);
        let by_ordinal = |ordinal| all.iter().find(|pod| identity::ordinal(set, pod) == Some(ordinal));
        let wanted = start..start.saturating_add(wanted);
        let mut condemned: Vec<_> =
            all.iter().filter(|pod| identity::ordinal(set, pod).is_some_and(|n| !wanted.contains(&n))).collect();
        condemned.sort_by_key(|pod| std::cmp::Reverse(identity::ordinal(set, pod)));
        let monotonic = spec.pod_management_policy.as_deref() != Some("Parallel");
        Self {
            client,
            set,
            spec,
            revisions,
            all,
            replicas: wanted.map(by_ordinal).collect(),
            condemned,
            monotonic,
            deleted: 0,
        }
    }

    /// Takes the steps that are possible now.
    ///
    /// # Errors
    /// If a pod or claim could not be written; an event reports it, too.
    pub fn advance(&mut self) -> Result<(), Status> {
        for (ordinal, replica) in (identity::start(self.spec)..).zip(self.replicas.clone()) {
            if self.replica(ordinal, replica)? == PassStep::Stop {
                return Ok(());
            }
        }
        for pod in &self.condemned {
            claims::keep_owner(self.client, self.set, self.spec, pod, true)?;
        }
        for pod in self.condemned.clone() {
            if self.condemn(pod)? == PassStep::Stop {
                return Ok(());
            }
        }
        self.update()
    }

    fn replica(&self, ordinal: i32, replica: Option<&Pod>) -> Result<PassStep, Status> {
        let Some(pod) = replica else { return self.create(ordinal) };
        if pods::is_finished(pod) {
            return self.recreate(pod);
        }
        if pods::phase(pod) == "Pending" {
            claims::create_missing(self.client, self.set, self.spec, ordinal)?;
        }
        if self.monotonic && (pods::is_terminating(pod) || !self.is_available(pod)) {
            return Ok(PassStep::Stop);
        }
        self.keep_identity(ordinal, pod)?;
        Ok(PassStep::Next)
    }

    fn create(&self, ordinal: i32) -> Result<PassStep, Status> {
        if claims::stale(self.client, self.set, self.spec, ordinal) {
            return Ok(PassStep::Stop);
        }
        let below_partition = self.is_rolling() && ordinal < identity::start(self.spec) + self.partition();
        let revision = if below_partition { &self.revisions.current } else { &self.revisions.update };
        let pod = identity::pod(self.set, self.spec, ordinal, revision);
        let created = claims::create_missing(self.client, self.set, self.spec, ordinal);
        self.record("Create", &pod, created.and_then(|()| self.client.create(&pod).map(|_| ())))?;
        Ok(if self.monotonic { PassStep::Stop } else { PassStep::Next })
    }

    /// Deletes a finished pod; its successor is created once it is gone.
    fn recreate(&self, pod: &Pod) -> Result<PassStep, Status> {
        if !pods::is_terminating(pod) {
            let (namespace, name) = owners::key(pod);
            let set = self.set.metadata.name.as_deref().unwrap_or_default();
            let (kind, reason, word) = match pods::phase(pod) {
                "Failed" => ("Warning", "RecreatingFailedPod", "failed"),
                _ => ("Normal", "RecreatingTerminatedPod", "terminated"),
            };
            let message = format!("StatefulSet {namespace}/{set} is recreating {word} Pod {name}");
            self.client.event(&events::reference(self.set), kind, reason, &message, COMPONENT);
            self.delete(pod)?;
        }
        Ok(PassStep::Stop)
    }

    fn keep_identity(&self, ordinal: i32, pod: &Pod) -> Result<(), Status> {
        claims::keep_owner(self.client, self.set, self.spec, pod, false)?;
        let (_, name) = owners::key(pod);
        let wanted = identity::own_labels(&name, ordinal);
        let labels = pod.metadata.labels.as_ref();
        if wanted.iter().all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value)) {
            return Ok(());
        }
        let updated = self.client.modify(pod, |pod: &mut Pod| {
            pod.metadata.labels.get_or_insert_default().extend(wanted.clone());
            true
        });
        self.record("Update", pod, updated.map(|_| ()))
    }

    /// Deletes a pod beyond the requested ordinals, if it is its turn.
    fn condemn(&self, pod: &Pod) -> Result<PassStep, Status> {
        let stop = if self.monotonic { PassStep::Stop } else { PassStep::Next };
        if pods::is_terminating(pod) {
            return Ok(stop);
        }
        let first_unhealthy = self.first_unhealthy().is_some_and(|first| first.metadata.uid == pod.metadata.uid);
        if self.monotonic && !self.is_available(pod) && !first_unhealthy {
            return Ok(PassStep::Stop);
        }
        self.delete(pod)?;
        Ok(stop)
    }

    fn first_unhealthy(&self) -> Option<&Pod> {
        let mut in_order = self.replicas.iter().flatten().chain(self.condemned.iter().rev());
        in_order.find(|pod| !self.is_healthy(pod)).copied()
    }

    /// Deletes the highest pod of another revision, once all above it are healthy.
    fn update(&mut self) -> Result<(), Status> {
        if !self.is_rolling() {
            return Ok(());
        }
        let partition = usize::try_from(self.partition()).unwrap_or(0);
        let candidates: Vec<Option<&Pod>> = self.replicas.iter().skip(partition).rev().copied().collect();
        let mut room = self.max_unavailable();
        for pod in candidates {
            let update = revisions::name(&self.revisions.update);
            let outdated = |pod: &&Pod| revisions::of_pod(pod) != Some(update) && !pods::is_terminating(pod);
            if let Some(pod) = pod.filter(outdated) {
                self.delete(pod)?;
                self.deleted += 1;
                room -= 1;
            } else if pod.is_none_or(|pod| !self.is_healthy(pod)) {
                room -= 1;
            }
            if room <= 0 {
                break;
            }
        }
        Ok(())
    }

    fn delete(&self, pod: &Pod) -> Result<(), Status> {
        let deleted = match self.client.delete(pod, &DeleteOptions::default()) {
            Err(refused) if refused.reason == "NotFound" => return Ok(()),
            outcome => outcome,
        };
        self.record("Delete", pod, deleted)
    }

    fn record(&self, verb: &str, pod: &Pod, outcome: Result<(), Status>) -> Result<(), Status> {
        let (_, pod) = owners::key(pod);
        let set = self.set.metadata.name.as_deref().unwrap_or_default();
        let what = format!("{verb} Pod {pod} in StatefulSet {set}");
        let about = events::reference(self.set);
        match &outcome {
            Ok(()) => {
                let reason = format!("Successful{verb}");
                self.client.event(&about, "Normal", &reason, &format!("{what} successful"), COMPONENT);
            }
            Err(refused) if is_namespace_ending(refused) => return Ok(()),
            Err(refused) => {
                let reason = format!("Failed{verb}");
                self.client.event(&about, "Warning", &reason, &format!("{what} failed error: {refused}"), COMPONENT);
            }
        }
        outcome
    }

    /// Returns the status, computed from the listed pods and those deleted since.
    pub fn status(&self) -> StatefulSetStatus {
        let mut status = count(self.all, self.spec, self.revisions);
        status.observed_generation = self.set.metadata.generation;
        status.collision_count = Some(self.revisions.collisions);
        status.current_revision = Some(revisions::name(&self.revisions.current).to_owned());
        status.update_revision = Some(revisions::name(&self.revisions.update).to_owned());
        status.current_replicas = some((status.current_replicas.unwrap_or(0) - self.deleted).max(0));
        let wanted = self.spec.replicas.unwrap_or(1);
        let all_at = |count: Option<i32>| count.unwrap_or(0) == wanted;
        if self.is_rolling()
            && all_at(status.updated_replicas)
            && all_at(status.ready_replicas)
            && status.replicas == wanted
        {
            status.current_replicas = status.updated_replicas;
            status.current_revision.clone_from(&status.update_revision);
        }
        status
    }

    /// Returns when the next pod becomes available, if that is all that is missing.
    pub fn available_after(&self) -> Option<Duration> {
        let waits = self.all.iter().filter_map(|pod| match pods::availability(pod, self.min_ready()) {
            Availability::After(left) => Some(left),
            _ => None,
        });
        waits.min()
    }

    fn is_available(&self, pod: &Pod) -> bool {
        pods::phase(pod) == "Running" && pods::availability(pod, self.min_ready()) == Availability::Available
    }

    fn is_healthy(&self, pod: &Pod) -> bool {
        self.is_available(pod) && !pods::is_terminating(pod)
    }

    fn min_ready(&self) -> Duration {
        clock::seconds(self.spec.min_ready_seconds.unwrap_or(0))
    }

    fn is_rolling(&self) -> bool {
        let strategy = self.spec.update_strategy.as_ref().and_then(|s| s.type_.as_deref());
        strategy.is_none_or(|strategy| strategy == "RollingUpdate")
    }

    fn rolling(&self) -> Option<&RollingUpdateStatefulSetStrategy> {
        self.spec.update_strategy.as_ref()?.rolling_update.as_ref()
    }

    fn partition(&self) -> i32 {
        self.rolling().and_then(|rolling| rolling.partition).unwrap_or(0).max(0)
    }

    fn max_unavailable(&self) -> i32 {
        let wanted = self.spec.replicas.unwrap_or(1);
        let set = self.rolling().and_then(|rolling| rolling.max_unavailable.as_ref());
        set.map_or(1, |set: &IntOrString| crate::controllers::percent::scaled_down(set, wanted).max(1))
    }
}
