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
    /// The chart, relative to the suite file, and its version if it is pulled.
    pub chart: (String, Option<String>),
    /// The values file that the chart needs, relative to it.
    pub values: Option<String>,
    /// Values that it needs on top, so that its image can be replaced.
    pub set: Vec<String>,
    pub security: Level,
    /// The workloads that have replicas, the likeliest application first.
    pub workloads: Vec<Workload>,
    /// The images of all containers.
    pub rendered: Vec<String>,
    /// The values that set the images under test.
    pub images: Vec<ImageUnderTest>,
    /// Why the chart refused the likeliest values for the first workload's image.
    pub refused: Option<String>,
    /// The values that set the first workload's number of replicas.
    pub replicas: Option<ReplicasFound>,
    /// Whether several replicas can run; if so, the names of the workloads whose number of replicas is always the first
    /// one's.
    pub scales: Option<BTreeSet<String>>,
    /// The kinds of what runs that is not a workload.
    pub others: BTreeSet<Other>,
}

/// What else a chart consists of, or because of what a case can be listed.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Other {
    Pods,
    Jobs,
    CronJobs,
    Definitions,
    Tests,
}

impl Found {
    /// Returns what the rendered objects tell; the values are found by rendering again.
    pub fn of(name: &str, chart: &str, objects: &[Value]) -> Self {
        Self {
            name: name.to_owned(),
            chart: (".".to_owned(), None),
            values: None,
            set: Vec::new(),
            security: security::strictest(objects),
            workloads: pods::workloads(objects, chart),
            rendered: in_manifests(objects).into_iter().collect(),
            images: Vec::new(),
            refused: None,
            replicas: None,
            scales: None,
            others: others(objects),
        }
    }

    /// Returns the image of the application's container; without a workload, any image.
    pub fn main_image(&self) -> Option<&str> {
        self.workloads.first().map_or_else(|| self.rendered.first().map(String::as_str), image)
    }

    /// Returns a line for everything that the user has to write.
    pub fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        if let Some(image) = self.main_image().filter(|_| self.lacks_main_image()) {
            let refused =
                self.refused.as_ref().map(|words| format!("; helm refuses others: {words}")).unwrap_or_default();
            missing.push(format!("no value was found that sets {image}: write [image]{refused}"));
        }
        for workload in &self.workloads {
            let what = format!("{}/{}", workload.kind, workload.name);
            let is_main = workload.name == self.workloads[0].name;
            if is_main && self.replicas.is_none() && !workload.is_on_each_node() {
                missing.push(format!("no value was found that sets the replicas of {what}: write [scale]"));
            }
            if probe::of(workload).is_none() {
                let table = if self.workloads.len() > 1 { "[workload.http]" } else { "[http]" };
                missing.push(format!("container {} of {what} has no probe: write {table}", workload.container));
            }
        }
        missing
    }

    /// Returns the number of a workload's replicas, if it is not that of every topology.
    pub fn own_replicas(&self, index: usize) -> Option<u64> {
        let workload = &self.workloads[index];
        let follows = match &self.scales {
            Some(names) => names.contains(&workload.name),
            None => workload.replicas == self.workloads[0].replicas,
        };
        (index > 0 && !workload.is_on_each_node() && !follows).then_some(workload.replicas)
    }

    /// Returns whether no value sets the image of the first workload or, without one, any image.
    pub fn lacks_main_image(&self) -> bool {
        self.workloads.first().map_or(self.images.is_empty(), |main| main.image.is_none())
    }
}

/// Returns the image of a workload's container.
pub fn image(workload: &Workload) -> Option<&str> {
    pods::container(&workload.spec, &workload.container)?["image"].as_str()
}

/// Returns whether the suite can ask a workload for its health as kubelet does.
pub fn has_health(workload: &Workload) -> bool {
    matches!(probe::of(workload), Some(Probe::Http { .. } | Probe::Exec(_)))
}

fn others(objects: &[Value]) -> BTreeSet<Other> {
    let there = |kind: &&str| pods::of_kind(objects, kind).next().is_some();
    let all = [
        (Other::Pods, WITH_PODS.iter().any(there)),
        (Other::Jobs, there(&"Job")),
        (Other::CronJobs, there(&"CronJob")),
        (Other::Definitions, there(&"CustomResourceDefinition")),
        (Other::Tests, objects.iter().any(|object| pods::is_hook(object, "test"))),
    ];
    all.into_iter().filter(|(_, there)| *there).map(|(other, _)| other).collect()
}
