//! Whether an object of a release is as its chart means it: what `ready` waits for, kind by kind.

use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Service};
use kube::ResourceExt;
use serde_json::Value;

use super::objects;
use super::state::State;

/// How long a load balancer's provider may take to say that it sees a Service.
const PROVIDER_SHOWS_UP: Duration = Duration::from_secs(20);

/// API groups of which no object has to become ready.
const PLAIN_GROUPS: [&str; 2] = ["rbac.authorization.k8s.io", "admissionregistration.k8s.io"];
/// Kinds that are what they are once they are stored, each with its API group.
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

/// How ready an object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It is as its chart means it.
    Ready,
    /// What it still lacks.
    NotYet(String),
    /// Nobody can say, and why.
    NotJudged(&'static str),
}

use Readiness::{NotJudged, NotYet, Ready};

/// An object that a release made.
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
    /// The namespace that its manifest names, if it does.
    pub namespace: Option<String>,
    /// The change of its spec that counts at least; none where it was not there.
    pub generation: Option<i64>,
    /// Its spec as the chart has it.
    pub spec: Value,
}

impl Made {
    /// An object of a manifest; none where that lacks kind or name.
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

    /// `Deployment/web`.
    pub fn title(&self) -> String {
        format!("{}/{}", self.kind, self.name)
    }

    fn is(&self, group: &str, kind: &str) -> bool {
        (self.group.as_str(), self.kind.as_str()) == (group, kind)
    }

    /// Whether it makes pods, or is one.
    pub fn has_pods(&self) -> bool {
        match self.group.as_str() {
            "" => matches!(self.kind.as_str(), "Pod" | "ReplicationController"),
            "apps" => matches!(self.kind.as_str(), "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet"),
            "batch" => self.kind == "Job",
            _ => false,
        }
    }

    /// Whether it is a Service that a load balancer is to be made for.
    pub fn wants_load_balancer(&self) -> bool {
        self.is("", "Service") && self.spec["type"] == "LoadBalancer"
    }

    /// The condition that a kind of the whole cluster has to have.
    pub fn cluster_condition(&self) -> Option<&'static str> {
        match (self.group.as_str(), self.kind.as_str()) {
            ("apiextensions.k8s.io", "CustomResourceDefinition") => Some("Established"),
            ("apiregistration.k8s.io", "APIService") => Some("Available"),
            _ => None,
        }
    }

    /// How ready it is in a namespace as it was seen after so long a wait.
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
            "CronJob" => NotJudged("it makes pods on its schedule only"),
            _ => NotJudged("what its status means is not known"),
        }
    }

    fn found<K>(&self, object: Option<&K>, judge: impl FnOnce(&K) -> Readiness) -> Readiness {
        match object.map(judge) {
            Some(NotYet(why)) => NotYet(format!("{} {why}", self.title())),
            Some(other) => other,
            None => NotYet(format!("{} is not there", self.title())),
        }
    }

    fn rollout(&self, state: &State) -> Readiness {
        let Some(rollout) = state.rollout(&self.kind, &self.name) else {
            return NotYet(format!("{} is not there", self.title()));
        };
        if !rollout.done || rollout.generation.unwrap_or(0) < self.generation.unwrap_or(0) {
            return NotYet(format!("{} {}/{} ready", self.title(), rollout.ready, rollout.wanted));
        }
        if self.kind == "DaemonSet" && rollout.wanted == 0 {
            return NotJudged("no node matches it");
        }
        Ready
    }

    /// A Job has to complete, unless its pods say themselves when they are ready.
    fn job(&self, state: &State) -> Readiness {
        // Asked for when the wait began: what its time to live took away is gone for good.
        let expires = !self.spec["ttlSecondsAfterFinished"].is_null();
        if self.generation.is_none() && expires && !state.jobs.contains_key(&self.name) {
            return NotJudged("it is gone, as its ttlSecondsAfterFinished says");
        }
        self.found(state.jobs.get(&self.name), |found| job(found, &state.pods_of_job(&self.name)))
    }
}

fn pod(pod: &Pod) -> Readiness {
    let succeeded = pod.status.as_ref().is_some_and(|status| status.phase.as_deref() == Some("Succeeded"));
    let policy = pod.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref());
    let runs_on = policy.is_none_or(|policy| policy == "Always") || has_readiness_probe(pod);
    if succeeded || (runs_on && objects::is_ready(pod)) {
        return Ready;
    }
    let line = objects::pod_line(pod);
    NotYet(if runs_on { line } else { format!("{ENDS_OR_IS_PROBED}: {line}") })
}

/// What has to come of a pod that is not restarted for ever.
const ENDS_OR_IS_PROBED: &str = "has to complete, or to be ready by a readinessProbe, if it is meant to run on";

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

/// Without a probe a container is ready as soon as it runs: that says nothing of a program that is to end.
fn has_readiness_probe(pod: &Pod) -> bool {
    let containers = pod.spec.as_ref().map(|spec| spec.containers.as_slice()).unwrap_or_default();
    containers.iter().any(|container| container.readiness_probe.is_some())
}

/// A claim that nobody uses is bound at once, or never, as its class says.
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
        return NotJudged("no pod uses it, and its class binds it for the first that does");
    }
    NotYet(line)
}

fn load_balancer(state: &State, service: &Service, waited: Duration) -> Readiness {
    let status = service.status.as_ref().and_then(|status| status.load_balancer.as_ref());
    if status.and_then(|balancer| balancer.ingress.as_ref()).is_some_and(|ingress| !ingress.is_empty()) {
        return Ready;
    }
    // Each provider says something about a Service that it takes: EnsuringLoadBalancer, IPAllocated, AppliedDaemonSet.
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
