//! `fits`: what all replicas request fits the cluster that they are meant for. Computed: the cluster of the run is another.

use anyhow::Context as _;
use embedded::quantity;
use serde::Deserialize;
use serde_json::Value;

use super::context::Cx;
use super::extra::{self, Changes};
use crate::placed::Placed;

/// Its parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct With {
    /// How many nodes there are.
    nodes: usize,
    /// CPU of each: `4`.
    cpu: String,
    /// Memory of each: `906Mi`.
    memory: String,
    /// The releases that are meant for it, each with values files and values that give it its real requests.
    releases: Vec<Meant>,
}

/// A release as it is meant to be deployed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Meant {
    release: String,
    #[serde(default)]
    values: Vec<std::path::PathBuf>,
    #[serde(default)]
    set: Vec<String>,
}

/// What a pod requests, in thousandths of a CPU and in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Request {
    cpu_m: u64,
    memory: u64,
}

/// Runs the case.
pub async fn run(cx: &Cx) -> anyhow::Result<String> {
    let (stage, with) = (cx.stage()?, cx.with::<With>()?);
    let node = Request {
        cpu_m: cpu_m(&with.cpu).context("`cpu` is no quantity")?,
        memory: memory(&with.memory).context("`memory` is no quantity")?,
    };
    let mut pods = Vec::new();
    for meant in &with.releases {
        let mut placed = stage.placed(Some(&meant.release))?.clone();
        let changes = Changes { values: meant.values.clone(), set: meant.set.clone() };
        extra::changed(cx, &mut placed, &changes).await?;
        pods.extend(requests(&placed));
    }
    let total = pods.iter().fold(Request::default(), |sum, (_, pod)| sum.and(*pod));
    place(&pods, node, with.nodes).map_err(anyhow::Error::msg)?;
    Ok(format!("{} pods request {} on {} nodes of {}", pods.len(), total.told(), with.nodes, node.told()))
}

impl Request {
    fn and(self, other: Self) -> Self {
        Self { cpu_m: self.cpu_m + other.cpu_m, memory: self.memory + other.memory }
    }

    fn told(self) -> String {
        format!("{}m CPU and {}Mi", self.cpu_m, self.memory >> 20)
    }
}

/// Puts the largest first, each where it fits: what the scheduler does is no better than this.
fn place(pods: &[(String, Request)], node: Request, nodes: usize) -> Result<(), String> {
    let mut pods = pods.to_vec();
    pods.sort_by_key(|(_, pod)| std::cmp::Reverse((pod.memory, pod.cpu_m)));
    let mut used = vec![Request::default(); nodes];
    for (name, pod) in &pods {
        let fits = |used: &&mut Request| {
            let with = used.and(*pod);
            with.cpu_m <= node.cpu_m && with.memory <= node.memory
        };
        let Some(place) = used.iter_mut().find(fits) else {
            return Err(format!(
                "{name} requests {}, and none of {nodes} nodes of {} has room for it",
                pod.told(),
                node.told()
            ));
        };
        *place = place.and(*pod);
    }
    Ok(())
}

/// What each replica of each workload requests.
fn requests(placed: &Placed) -> Vec<(String, Request)> {
    let mut requests = Vec::new();
    for (kind, name) in placed.workloads() {
        let Some(object) = placed.object(kind, name) else { continue };
        let replicas = object.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1);
        let containers = object.pointer("/spec/template/spec/containers").and_then(Value::as_array);
        let request = containers.into_iter().flatten().map(requested).fold(Request::default(), Request::and);
        requests.extend((0..replicas).map(|number| (format!("{}/{name}-{number}", placed.release.key()), request)));
    }
    requests
}

fn requested(container: &Value) -> Request {
    let requests = &container["resources"]["requests"];
    let text = |key: &str| match &requests[key] {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    };
    Request { cpu_m: cpu_m(&text("cpu")).unwrap_or(0), memory: memory(&text("memory")).unwrap_or(0) }
}

fn cpu_m(text: &str) -> Option<u64> {
    u64::try_from(quantity::parse(text)?.nanos() / 1_000_000).ok()
}

fn memory(text: &str) -> Option<u64> {
    u64::try_from(quantity::parse(text)?.value()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pods(sizes: &[u64]) -> Vec<(String, Request)> {
        sizes.iter().map(|size| (format!("pod-{size}"), Request { cpu_m: 100, memory: size << 20 })).collect()
    }

    #[test]
    fn what_fits_in_sum_may_fit_on_no_node() {
        let node = Request { cpu_m: 1000, memory: 100 << 20 };
        assert_eq!(place(&pods(&[60, 40, 50, 50]), node, 2), Ok(()));
        let error = place(&pods(&[60, 60, 60]), node, 2).unwrap_err();
        assert_eq!(
            error,
            "pod-60 requests 100m CPU and 60Mi, and none of 2 nodes of 1000m CPU and 100Mi has room for it"
        );
    }
}
