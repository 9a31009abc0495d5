//! A release in its namespace.

use std::path::PathBuf;

use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;

use kubernetes::watch::Watch;
use suite::Release;
use tools::helm::{Helm, Values};

/// Kinds that keep as many pods running as they are told to, and replace them by revisions.
const WORKLOADS: [&str; 2] = ["Deployment", "StatefulSet"];
/// All kinds that make pods, or are one.
const WITH_PODS: [&str; 7] =
    ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "Pod"];

/// A release in its namespace.
#[derive(Clone)]
pub struct DeployedRelease {
    /// As the suite says.
    pub release: Release,
    /// Its chart's folder.
    pub chart: PathBuf,
    /// helm for it.
    pub helm: Helm,
    /// What it is deployed with.
    pub values: Values,
    /// What is seen of its namespace.
    pub watch: Watch,
    /// Its objects, as helm renders them.
    pub objects: Vec<Value>,
}

impl DeployedRelease {
    /// Kind and name of what keeps its pods running.
    pub fn workloads(&self) -> Vec<(&str, &str)> {
        self.named(&WORKLOADS).filter(|(.., object)| !is_hook(object)).map(|(kind, name, _)| (kind, name)).collect()
    }

    /// Kind and name of everything that makes pods, or is one, without hooks.
    pub fn with_pods(&self) -> Vec<(&str, &str)> {
        self.named(&WITH_PODS).filter(|(.., object)| !is_hook(object)).map(|(kind, name, _)| (kind, name)).collect()
    }

    /// The names of its Jobs that are no hooks.
    pub fn jobs(&self) -> Vec<&str> {
        self.named(&["Job"]).filter(|(.., object)| !is_hook(object)).map(|(_, name, _)| name).collect()
    }

    /// The names of its hooks' Jobs that run at this event: `pre-install`.
    pub fn hook_jobs(&self, event: &str) -> Vec<&str> {
        self.named(&["Job"]).filter(|(.., object)| runs_at(object, event)).map(|(_, name, _)| name).collect()
    }

    /// The names of all of its hooks' Jobs.
    pub fn all_hook_jobs(&self) -> Vec<&str> {
        self.named(&["Job"]).filter(|(.., object)| is_hook(object)).map(|(_, name, _)| name).collect()
    }

    /// The pods of all of these that are there now.
    pub fn pods(&self) -> Vec<Pod> {
        let state = self.watch.state();
        self.named(&WITH_PODS).flat_map(|(kind, name, _)| state.pods_of(kind, name)).cloned().collect()
    }

    /// One of its objects, as helm renders it.
    pub fn object(&self, kind: &str, name: &str) -> Option<&Value> {
        self.objects.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name)
    }

    /// How far a `HorizontalPodAutoscaler` may scale one of its workloads; none where nothing scales it.
    pub fn scales_to(&self, kind: &str, name: &str) -> Option<u64> {
        let target = |spec: &Value| spec["scaleTargetRef"]["kind"] == kind && spec["scaleTargetRef"]["name"] == name;
        let scalers = self.named(&["HorizontalPodAutoscaler"]).map(|(.., object)| &object["spec"]);
        scalers.filter(|spec| target(spec)).filter_map(|spec| spec["maxReplicas"].as_u64()).max()
    }

    fn named<'a>(&'a self, kinds: &[&str]) -> impl Iterator<Item = (&'a str, &'a str, &'a Value)> {
        self.objects.iter().filter_map(move |object| {
            let kind = object["kind"].as_str().filter(|kind| kinds.contains(kind))?;
            Some((kind, object["metadata"]["name"].as_str()?, object))
        })
    }
}

fn hooks(object: &Value) -> Option<&str> {
    object["metadata"]["annotations"]["helm.sh/hook"].as_str()
}

fn is_hook(object: &Value) -> bool {
    hooks(object).is_some()
}

fn runs_at(object: &Value, event: &str) -> bool {
    hooks(object).is_some_and(|hooks| hooks.split(',').any(|hook| hook.trim() == event))
}
