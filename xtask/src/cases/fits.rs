//! `fits`: the requests of all replicas fit on the cluster that they are meant for. This is computed, since the run's
//! own cluster is another one.

use anyhow::{Context as _, anyhow, ensure};
use k8s_openapi::api::core::v1::PodSpec;
use resources::quantity;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::install;
use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use super::support::extra::{self, Changes};
use crate::deployed_release::DeployedRelease;
use suite::{CaseKind, CaseSpec, Deploys, Parameters, Suite, Topology, definitions};

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "fits",
        summary: "the requests of the releases with these values fit on this number of nodes of this size. They are \
                  computed as the scheduler does, with init containers, sidecars and overhead. DaemonSets count on \
                  every node, autoscaled workloads with their maximum; hooks and CronJobs do not count",
        needs: &[&install::CASE.kind],
        parameters: Parameters::of::<With>(),
        check: lists_each_once,
        deploys,
        ..CaseKind::DEFAULT
    },
    run: |cx| passing(run(cx)),
};

/// The parameters of the case.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct With {
    /// Number of nodes.
    #[schemars(range(min = 1, max = 10_000))]
    nodes: usize,
    /// CPU of each node, such as `4`.
    #[schemars(schema_with = "definitions::quantity")]
    cpu: String,
    /// Memory of each node, such as `906Mi`.
    #[schemars(schema_with = "definitions::quantity")]
    memory: String,
    /// Releases that run there, each with the values files and values that set its real requests.
    #[schemars(length(min = 1, max = 50), extend("uniqueItems" = true))]
    releases: Vec<Meant>,
}

/// A release as it will be deployed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Meant {
    #[schemars(schema_with = "definitions::key")]
    release: String,
    #[serde(default)]
    #[schemars(schema_with = "definitions::values")]
    values: Vec<std::path::PathBuf>,
    #[serde(default)]
    #[schemars(schema_with = "definitions::set")]
    set: Vec<String>,
}

/// The requests of a pod, in thousandths of a CPU and in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Request {
    cpu_m: u64,
    memory: u64,
}

fn lists_each_once(case: &CaseSpec, _: &Topology, suite: &Suite) -> Result<(), String> {
    let meant = case.with::<With>()?.releases;
    for (index, one) in meant.iter().enumerate() {
        suite.release(Some(&one.release))?;
        if meant[..index].iter().any(|other| other.release == one.release) {
            return Err(format!("`releases` lists {} twice: remove one", one.release));
        }
    }
    Ok(())
}

fn deploys(case: &CaseSpec) -> Vec<Deploys> {
    let meant = case.with::<With>().map(|with| with.releases).unwrap_or_default();
    meant.into_iter().map(|Meant { release, values, set }| Deploys { release: Some(release), values, set }).collect()
}

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let (deployed, with) = (cx.deployed()?, cx.with::<With>()?);
    let node = Request {
        cpu_m: cpu_m(&with.cpu).context("`cpu` is not a quantity")?,
        memory: memory(&with.memory).context("`memory` is not a quantity")?,
    };
    let (mut taken, mut pods) = (Request::default(), Vec::new());
    for meant in &with.releases {
        let mut deployed_release = deployed.deployed_release(Some(&meant.release))?.clone();
        let changes = Changes { values: meant.values.clone(), set: meant.set.clone() };
        extra::changed(cx, &mut deployed_release, &changes).await?;
        let (each_node, of_release) = requests(&deployed_release)?;
        ensure!(
            each_node != Request::default() || of_release.iter().any(|(_, pod)| *pod != Request::default()),
            "no pod of release {} has requests; set its resources.requests",
            deployed_release.release.key()
        );
        taken = taken.and(each_node);
        pods.extend(of_release);
    }
    let total = pods.iter().fold(Request::default(), |sum, (_, pod)| sum.and(*pod));
    place(&pods, taken, node, with.nodes).map_err(anyhow::Error::msg)?;
    Ok(format!("{} pods request {} on {} nodes with {}", pods.len(), total.describe(), with.nodes, node.describe()))
}

impl Request {
    fn and(self, other: Self) -> Self {
        Self { cpu_m: self.cpu_m + other.cpu_m, memory: self.memory + other.memory }
    }

    fn describe(self) -> String {
        format!("{}m CPU and {}Mi", self.cpu_m, self.memory >> 20)
    }
}

/// Places the largest pods first, each on the first node with room beside what is `taken` on every node. The scheduler
/// does no better.
fn place(pods: &[(String, Request)], taken: Request, node: Request, nodes: usize) -> Result<(), String> {
    let mut pods = pods.to_vec();
    pods.sort_by_key(|(_, pod)| std::cmp::Reverse((pod.memory, pod.cpu_m)));
    if taken.cpu_m > node.cpu_m || taken.memory > node.memory {
        return Err(format!("DaemonSets request {} on each node, which has {}", taken.describe(), node.describe()));
    }
    let mut used = vec![taken; nodes];
    for (name, pod) in &pods {
        let fits = |used: &&mut Request| {
            let with = used.and(*pod);
            with.cpu_m <= node.cpu_m && with.memory <= node.memory
        };
        let Some(place) = used.iter_mut().find(fits) else {
            return Err(format!(
                "{name} requests {}, but none of {nodes} nodes with {} has room for it",
                pod.describe(),
                node.describe()
            ));
        };
        *place = place.and(*pod);
    }
    Ok(())
}

/// Returns the requests of a release's `DaemonSets` on each node, and of each other replica. Hooks and `CronJobs`
/// don't count.
fn requests(deployed_release: &DeployedRelease) -> anyhow::Result<(Request, Vec<(String, Request)>)> {
    let (mut each_node, mut pods) = (Request::default(), Vec::new());
    for object in
        deployed_release.objects.iter().filter(|object| object["metadata"]["annotations"]["helm.sh/hook"].is_null())
    {
        let (Some(kind), Some(name)) = (object["kind"].as_str(), object["metadata"]["name"].as_str()) else { continue };
        let replicas = match kind {
            "Deployment" | "StatefulSet" | "ReplicaSet" => {
                let written = object.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1);
                deployed_release.scales_to(kind, name).unwrap_or(0).max(written)
            }
            "Job" => object.pointer("/spec/parallelism").and_then(Value::as_u64).unwrap_or(1),
            "DaemonSet" | "Pod" => 1,
            _ => continue,
        };
        let path = if kind == "Pod" { "/spec" } else { "/spec/template/spec" };
        let spec: PodSpec = serde_json::from_value(object.pointer(path).cloned().unwrap_or_default())
            .with_context(|| format!("the pods of {kind}/{name}"))?;
        let request = requested(&spec, &deployed_release.objects).map_err(|why| anyhow!("{kind}/{name}: {why}"))?;
        if kind == "DaemonSet" {
            each_node = each_node.and(request);
        } else {
            let key = deployed_release.release.key();
            pods.extend((0..replicas).map(|number| (format!("{key}/{name}-{number}"), request)));
        }
    }
    Ok((each_node, pods))
}

/// Returns a pod's requests as the scheduler computes them. If the pod has a `RuntimeClass`, whose overhead the
/// cluster adds, that must be among the rendered objects.
fn requested(spec: &PodSpec, objects: &[Value]) -> Result<Request, String> {
    let containers = spec.init_containers.iter().flatten().chain(&spec.containers);
    for (name, quantity) in containers.filter_map(|one| one.resources.as_ref()?.requests.as_ref()).flatten() {
        quantity::parse(&quantity.0).ok_or_else(|| format!("its request {name}={} is not a quantity", quantity.0))?;
    }
    let mut spec = spec.clone();
    if let (None, Some(class)) = (&spec.overhead, &spec.runtime_class_name) {
        let is_it = |object: &&Value| object["kind"] == "RuntimeClass" && object["metadata"]["name"] == **class;
        let found = objects.iter().find(is_it).ok_or_else(|| {
            format!("the overhead of RuntimeClass/{class} is unknown, since the chart does not render it")
        })?;
        let overhead = found.pointer("/overhead/podFixed").cloned().unwrap_or_default();
        spec.overhead = serde_json::from_value(overhead).map_err(|error| error.to_string())?;
    }
    let amounts = resources::pod_requests::of(&spec);
    let amount = |name: &str| u64::try_from(amounts.get(name).copied().unwrap_or(0)).unwrap_or(0);
    Ok(Request { cpu_m: amount("cpu"), memory: amount("memory").div_ceil(1000) })
}

fn cpu_m(text: &str) -> Option<u64> {
    u64::try_from(quantity::parse(text)?.nanos() / 1_000_000).ok()
}

fn memory(text: &str) -> Option<u64> {
    u64::try_from(quantity::parse(text)?.value()).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pods(sizes: &[u64]) -> Vec<(String, Request)> {
        sizes.iter().map(|size| (format!("pod-{size}"), Request { cpu_m: 100, memory: size << 20 })).collect()
    }

    #[test]
    fn pods_that_fit_in_total_may_fit_on_no_node() {
        let (node, none) = (Request { cpu_m: 1000, memory: 100 << 20 }, Request::default());
        assert_eq!(place(&pods(&[60, 40, 50, 50]), none, node, 2), Ok(()));
        let error = place(&pods(&[60, 60, 60]), none, node, 2).unwrap_err();
        assert_eq!(
            error,
            "pod-60 requests 100m CPU and 60Mi, but none of 2 nodes with 1000m CPU and 100Mi has room for it"
        );
    }

    #[test]
    fn daemon_sets_take_room_on_every_node() {
        let (node, taken) = (Request { cpu_m: 1000, memory: 100 << 20 }, Request { cpu_m: 0, memory: 20 << 20 });
        assert_eq!(place(&pods(&[80, 80]), taken, node, 2), Ok(()));
        assert!(place(&pods(&[90]), taken, node, 2).is_err());
        let error = place(&[], node.and(taken), node, 2).unwrap_err();
        assert_eq!(error, "DaemonSets request 1000m CPU and 120Mi on each node, which has 1000m CPU and 100Mi");
    }

    #[test]
    fn requests_are_computed_as_by_the_scheduler() {
        let request =
            |spec: &Value, objects: &[Value]| requested(&serde_json::from_value(spec.clone()).unwrap(), objects);
        let of = |memory: &str| json!({ "name": "c", "resources": { "requests": { "memory": memory } } });
        let mut spec = json!({ "containers": [of("20Mi")], "initContainers": [of("100Mi")] });
        assert_eq!(request(&spec, &[]), Ok(Request { cpu_m: 0, memory: 100 << 20 }), "init containers count");
        spec["runtimeClassName"] = "vm".into();
        assert!(request(&spec, &[]).unwrap_err().contains("RuntimeClass/vm"));
        let class = json!({ "kind": "RuntimeClass", "metadata": { "name": "vm" }, "overhead": { "podFixed": { "memory": "10Mi", "cpu": "1" } } });
        assert_eq!(request(&spec, &[class]), Ok(Request { cpu_m: 1000, memory: 110 << 20 }));
        let wrong = json!({ "containers": [of("20MB")] });
        assert_eq!(request(&wrong, &[]).unwrap_err(), "its request memory=20MB is not a quantity");
    }
}
