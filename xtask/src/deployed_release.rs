//! A release that is deployed in its namespace.

use std::path::PathBuf;

use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;

use kubernetes::watch::Watch;
use suite::Release;
use tools::helm::{Helm, Values};

/// Kinds that keep a number of pods running and replace them by revision.
const WORKLOADS: [&str; 2] = ["Deployment", "StatefulSet"];
/// All kinds that create pods, and Pod itself.
const WITH_PODS: [&str; 7] =
    ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "Pod"];

/// A release that is deployed in its namespace.
#[derive(Clone)]
pub struct DeployedRelease {
    /// The release in the suite file.
    pub release: Release,
    /// Its chart's folder.
    pub chart: PathBuf,
    /// helm's command lines for it.
    pub helm: Helm,
    /// The values it is deployed with.
    pub values: Values,
    /// The watch of its namespace.
    pub watch: Watch,
    /// Its objects as rendered by helm.
    pub objects: Vec<Value>,
}

impl DeployedRelease {
    /// Returns kind and name of its Deployments and StatefulSets.
    pub fn workloads(&self) -> Vec<(&str, &str)> {
        self.named(&WORKLOADS).filter(|(.., object)| !is_hook(object)).map(|(kind, name, _)| (kind, name)).collect()
    }

    /// Returns kind and name of all objects that create pods, and of pods, except hooks.
    pub fn with_pods(&self) -> Vec<(&str, &str)> {
        self.named(&WITH_PODS).filter(|(.., object)| !is_hook(object)).map(|(kind, name, _)| (kind, name)).collect()
    }

    /// Returns the names of its Jobs that are not hooks.
    pub fn jobs(&self) -> Vec<&str> {
        self.named(&["Job"]).filter(|(.., object)| !is_hook(object)).map(|(_, name, _)| name).collect()
    }

    /// Returns the names of its CronJobs that are not hooks.
    pub fn cron_jobs(&self) -> Vec<&str> {
        self.named(&["CronJob"]).filter(|(.., object)| !is_hook(object)).map(|(_, name, _)| name).collect()
    }

    /// Returns the names of its hook Jobs for an event such as `pre-install`.
    pub fn hook_jobs(&self, event: &str) -> Vec<&str> {
        self.named(&["Job"]).filter(|(.., object)| runs_at(object, event)).map(|(_, name, _)| name).collect()
    }

    /// Returns the names of all its hook Jobs.
    pub fn all_hook_jobs(&self) -> Vec<&str> {
        self.named(&["Job"]).filter(|(.., object)| is_hook(object)).map(|(_, name, _)| name).collect()
    }

    /// Returns its current pods.
    pub fn pods(&self) -> Vec<Pod> {
        let state = self.watch.state();
        self.named(&WITH_PODS).flat_map(|(kind, name, _)| state.pods_of(kind, name)).cloned().collect()
    }

    /// Returns one of its objects as rendered by helm.
    pub fn object(&self, kind: &str, name: &str) -> Option<&Value> {
        self.objects.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name)
    }

    /// Returns the maximum to which a `HorizontalPodAutoscaler` may scale a workload, or `None` if none scales it.
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
