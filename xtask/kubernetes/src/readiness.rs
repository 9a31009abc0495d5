//! Whether an object of a release is ready: the conditions that `ready` waits for, kind by kind.

use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Service};
use kube::ResourceExt;
use serde_json::Value;

use super::objects;
use super::state::State;

/// How long a load-balancer provider may take to show that it handles a Service.
const PROVIDER_SHOWS_UP: Duration = Duration::from_secs(20);

/// API groups whose objects need not become ready.
const PLAIN_GROUPS: [&str; 2] = ["rbac.authorization.k8s.io", "admissionregistration.k8s.io"];
/// Kinds that are ready as soon as they are stored, each with its API group.
const PLAIN: [(&str, &str); 17] = [
    ("", "ConfigMap"),
    ("", "Secret"),
    ("", "ServiceAccount"),
    ("", "Namespace"),
    ("", "Endpoints"),
    ("", "LimitRange"),
    ("", "ResourceQuota"),
    ("", "PodTemplate"),
    ("apps", "ControllerRevision"),
    ("coordination.k8s.io", "Lease"),
    ("discovery.k8s.io", "EndpointSlice"),
    ("networking.k8s.io", "IngressClass"),
    ("networking.k8s.io", "NetworkPolicy"),
    ("node.k8s.io", "RuntimeClass"),
    ("policy", "PodDisruptionBudget"),
    ("scheduling.k8s.io", "PriorityClass"),
    ("storage.k8s.io", "StorageClass"),
];

/// Whether an object is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It is ready.
    Ready,
    /// It is not ready yet, for this reason.
    NotYet(String),
    /// Its readiness is unknown, for this reason.
    NotJudged(&'static str),
}

use Readiness::{NotJudged, NotYet, Ready};

/// An object that a release created.
#[derive(Debug, Clone, Default)]
pub struct Made {
    /// Its kind.
    pub kind: String,
    /// Its kind's API group; empty for the core one.
    pub group: String,
    /// Its kind's version.
    pub version: String,
    /// Its name.
    pub name: String,
    /// The namespace in its manifest, if any.
    pub namespace: Option<String>,
    /// The lowest generation of its spec that counts; none if it did not exist.
    pub generation: Option<i64>,
    /// Its spec in the manifest.
    pub spec: Value,
}

impl Made {
    /// Returns the object of a manifest; none if it has no kind or name.
    pub fn of(object: &Value) -> Option<Self> {
        let api_version = object["apiVersion"].as_str().unwrap_or("v1");
        let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
        Some(Self {
            kind: object["kind"].as_str()?.to_owned(),
            group: group.to_owned(),
            version: version.to_owned(),
            name: object["metadata"]["name"].as_str()?.to_owned(),
            namespace: object["metadata"]["namespace"].as_str().map(str::to_owned),
            generation: None,
            spec: object["spec"].clone(),
        })
    }

    /// Returns kind and name: `Deployment/web`.
    pub fn title(&self) -> String {
        format!("{}/{}", self.kind, self.name)
    }

    fn is(&self, group: &str, kind: &str) -> bool {
        (self.group.as_str(), self.kind.as_str()) == (group, kind)
    }

    /// Returns whether it creates pods or is one.
    pub fn has_pods(&self) -> bool {
        match self.group.as_str() {
            "" => matches!(self.kind.as_str(), "Pod" | "ReplicationController"),
            "apps" => matches!(self.kind.as_str(), "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet"),
            "batch" => self.kind == "Job",
            _ => false,
        }
    }

    /// Returns whether it is a Service of type `LoadBalancer`.
    pub fn wants_load_balancer(&self) -> bool {
        self.is("", "Service") && self.spec["type"] == "LoadBalancer"
    }

    /// Returns the condition that a cluster-wide object of this kind must have.
    pub fn cluster_condition(&self) -> Option<&'static str> {
        match (self.group.as_str(), self.kind.as_str()) {
            ("apiextensions.k8s.io", "CustomResourceDefinition") => Some("Established"),
            ("apiregistration.k8s.io", "APIService") => Some("Available"),
            _ => None,
        }
    }

    /// Returns whether it is ready in this state of the namespace, after a wait of this length.
    pub fn readiness(&self, state: &State, waited: Duration) -> Readiness {
        match self.kind.as_str() {
            "Pod" if self.has_pods() => self.found(state.pods.get(&self.name), pod),
            "Job" if self.has_pods() => self.job(state),
            _ if self.has_pods() => self.rollout(state),
            "PersistentVolumeClaim" if self.group.is_empty() => {
                self.found(state.claims.get(&self.name), |found| claim(state, found))
            }
            "Service" if self.wants_load_balancer() => {
                self.found(state.services.get(&self.name), |found| load_balancer(state, found, waited))
            }
            "Service" if self.group.is_empty() => Ready,
            kind if PLAIN.contains(&(&self.group, kind)) || PLAIN_GROUPS.contains(&self.group.as_str()) => Ready,
            "CronJob" => NotJudged("it creates pods only on its schedule"),
            _ => NotJudged("the meaning of its status is unknown"),
        }
    }

    fn found<K>(&self, object: Option<&K>, judge: impl FnOnce(&K) -> Readiness) -> Readiness {
        match object.map(judge) {
            Some(NotYet(why)) => NotYet(format!("{} {why}", self.title())),
            Some(other) => other,
            None => NotYet(format!("{} does not exist", self.title())),
        }
    }

    fn rollout(&self, state: &State) -> Readiness {
        let Some(rollout) = state.rollout(&self.kind, &self.name) else {
            return NotYet(format!("{} does not exist", self.title()));
        };
        if !rollout.done || rollout.generation.unwrap_or(0) < self.generation.unwrap_or(0) {
            return NotYet(format!("{} {}/{} ready", self.title(), rollout.ready, rollout.wanted));
        }
        if self.kind == "DaemonSet" && rollout.wanted == 0 {
            return NotJudged("no node matches it");
        }
        Ready
    }

    /// A Job must complete, unless its pods have readiness probes.
    fn job(&self, state: &State) -> Readiness {
        // The Job existed when the wait began, so its time to live has expired.
        let expires = !self.spec["ttlSecondsAfterFinished"].is_null();
        if self.generation.is_none() && expires && !state.jobs.contains_key(&self.name) {
            return NotJudged("it was deleted after its ttlSecondsAfterFinished");
        }
        self.found(state.jobs.get(&self.name), |found| job(found, &state.pods_of_job(&self.name)))
    }
}

fn pod(pod: &Pod) -> Readiness {
    let succeeded = pod.status.as_ref().is_some_and(|status| status.phase.as_deref() == Some("Succeeded"));
    let policy = pod.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref());
    let keeps_running = policy.is_none_or(|policy| policy == "Always") || has_readiness_probe(pod);
    if succeeded || (keeps_running && objects::is_ready(pod)) {
        return Ready;
    }
    let line = objects::pod_line(pod);
    NotYet(if keeps_running { line } else { format!("{ENDS_OR_IS_PROBED}: {line}") })
}

/// The requirement for a pod that is not restarted forever.
const ENDS_OR_IS_PROBED: &str =
    "has to complete, or to have a readinessProbe and be ready if it is meant to keep running";

fn job(job: &Job, pods: &[&Pod]) -> Readiness {
    let (spec, status) = (job.spec.clone().unwrap_or_default(), job.status.clone().unwrap_or_default());
    let is_true = |wanted: &str| status.conditions.iter().flatten().any(|c| c.type_ == wanted && c.status == "True");
    if is_true("Complete") || (spec.suspend == Some(true) && is_true("Suspended")) {
        return Ready;
    }
    let left = spec.completions.map(|wanted| wanted - status.succeeded.unwrap_or(0));
    let wanted = left.unwrap_or(i32::MAX).min(spec.parallelism.unwrap_or(1));
    let probed = pods.iter().filter(|pod| objects::is_ready(pod) && has_readiness_probe(pod)).count();
    if wanted > 0 && usize::try_from(wanted).is_ok_and(|wanted| probed >= wanted) {
        return Ready;
    }
    let line = objects::job_line(job);
    NotYet(format!("{ENDS_OR_IS_PROBED}: {line}"))
}

/// Returns whether a container has a readiness probe. Without one, a container is ready as soon as it runs, which means
/// nothing for a program that is to end.
fn has_readiness_probe(pod: &Pod) -> bool {
    let containers = pod.spec.as_ref().map(|spec| spec.containers.as_slice()).unwrap_or_default();
    containers.iter().any(|container| container.readiness_probe.is_some())
}

/// Judges a claim. A claim that no pod uses is bound at once or never, depending on its class.
fn claim(state: &State, claim: &PersistentVolumeClaim) -> Readiness {
    let (name, line) = (claim.name_any(), objects::claim_line(claim));
    let uses = |pod: &Pod| {
        let volumes = pod.spec.as_ref().and_then(|spec| spec.volumes.as_ref()).into_iter().flatten();
        let mut claims = volumes.filter_map(|volume| volume.persistent_volume_claim.as_ref());
        claims.any(|source| source.claim_name == name)
    };
    if line == "Bound" {
        return Ready;
    }
    let events = state.events_about(&format!("PersistentVolumeClaim/{name}"));
    let waits = events.last().is_some_and(|event| event.reason.as_deref() == Some("WaitForFirstConsumer"));
    if waits && !state.pods.values().any(uses) {
        return NotJudged("no pod uses it, and its storage class waits for the first one");
    }
    NotYet(line)
}

fn load_balancer(state: &State, service: &Service, waited: Duration) -> Readiness {
    let status = service.status.as_ref().and_then(|status| status.load_balancer.as_ref());
    if status.and_then(|balancer| balancer.ingress.as_ref()).is_some_and(|ingress| !ingress.is_empty()) {
        return Ready;
    }
    // Each provider emits an event for a Service that it handles: EnsuringLoadBalancer, IPAllocated, AppliedDaemonSet.
    let events = state.events_about(&format!("Service/{}", service.name_any()));
    match events.last() {
        Some(event) => NotYet(format!("has no load balancer yet: {}", objects::event_line(event))),
        None if waited >= PROVIDER_SHOWS_UP => NotJudged("no load-balancer provider"),
        None => NotYet("has no load balancer yet".to_owned()),
    }
}

#[cfg(test)]
#[path = "readiness_tests.rs"]
mod tests;
