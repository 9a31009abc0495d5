//! What a suite file says about a chart.

use std::collections::BTreeSet;

use serde_json::Value;

use super::pods::{self, Workload};
use super::probe::{self, Probe};
use super::security::{self, Level};
use super::values::ReplicasFound;
use images::in_manifests;
use suite::ImageUnderTest;

/// The kinds that keep pods running, or run them once.
const WITH_PODS: [&str; 5] = ["StatefulSet", "Deployment", "DaemonSet", "ReplicaSet", "Pod"];

/// What a suite file says about a chart.
#[derive(Debug)]
pub struct Found {
    /// The suite's and the release's name.
    pub name: String,
    /// The values file that the chart needs, relative to it.
    pub values: Option<String>,
    /// Values that it needs on top, so that its image can be replaced.
    pub set: Vec<String>,
    pub security: Level,
    /// The StatefulSets and Deployments, the likeliest application first.
    pub workloads: Vec<Workload>,
    pub probe: Option<Probe>,
    /// The images of all containers.
    pub images: Vec<String>,
    /// The values that set the application's image.
    pub image: Option<ImageUnderTest>,
    /// Why the chart refused the likeliest values for the image.
    pub refused: Option<String>,
    /// The values that set the number of replicas.
    pub replicas: Option<ReplicasFound>,
    /// Whether several replicas can run.
    pub is_scalable: bool,
    /// The kinds of what runs that is not a workload.
    others: BTreeSet<Other>,
}

/// What runs besides StatefulSets and Deployments, or because of them.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Other {
    Pods,
    Jobs,
    Tests,
}

impl Found {
    /// Returns what the rendered objects tell; the values are found by rendering again.
    pub fn of(name: &str, chart: &str, objects: &[Value]) -> Self {
        let workloads = pods::workloads(objects, chart);
        Self {
            name: name.to_owned(),
            values: None,
            set: Vec::new(),
            security: security::strictest(objects),
            probe: workloads.first().and_then(probe::of),
            images: in_manifests(objects).into_iter().collect(),
            image: None,
            refused: None,
            replicas: None,
            is_scalable: false,
            others: others(objects),
            workloads,
        }
    }

    /// Returns the image of the application's container; without a workload, any image.
    pub fn main_image(&self) -> Option<&str> {
        let main = self.workloads.first().and_then(|main| pods::container(&main.spec, &main.container));
        main.map_or_else(|| self.images.first().map(String::as_str), |container| container["image"].as_str())
    }

    /// Returns the cases that need nothing but these parts.
    pub fn cases(&self, replicas: u64) -> Vec<&'static str> {
        let has_health = matches!(self.probe, Some(Probe::Http { is_https: false, .. }));
        let (has_workload, has_pods) = (!self.workloads.is_empty(), self.others.contains(&Other::Pods));
        let all = [
            ("install", true),
            ("job_completes", self.others.contains(&Other::Jobs)),
            ("ready", has_pods),
            ("helm_test", self.others.contains(&Other::Tests) && has_pods),
            ("health", has_health),
            ("pod_kill", has_workload && replicas == 1),
            ("replace_all", has_workload && replicas > 1),
            ("pod_kill_leader", has_workload && replicas > 1),
            ("uninstall", true),
        ];
        all.into_iter().filter(|(_, there)| *there).map(|(case, _)| case).collect()
    }

    /// Returns a line for everything that the user has to write.
    pub fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        if let (None, Some(image)) = (&self.image, self.main_image()) {
            let refused =
                self.refused.as_ref().map(|words| format!("; helm refuses others: {words}")).unwrap_or_default();
            missing.push(format!("no value was found that sets {image}: write [image]{refused}"));
        }
        let Some(workload) = self.workloads.first() else { return missing };
        let what = format!("{}/{}", workload.kind, workload.name);
        if self.replicas.is_none() {
            missing.push(format!("no value was found that sets the replicas of {what}: write [scale]"));
        }
        if self.probe.is_none() {
            missing.push(format!("container {} of {what} has no probe: write [http]", workload.container));
        }
        missing
    }
}

fn others(objects: &[Value]) -> BTreeSet<Other> {
    let there = |kind: &&str| pods::of_kind(objects, kind).next().is_some();
    let all = [
        (Other::Pods, WITH_PODS.iter().any(there)),
        (Other::Jobs, there(&"Job")),
        (Other::Tests, objects.iter().any(|object| pods::is_hook(object, "test"))),
    ];
    all.into_iter().filter(|(_, there)| *there).map(|(other, _)| other).collect()
}
