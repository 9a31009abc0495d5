//! `autoscaler`: the `HorizontalPodAutoscaler` has the expected settings. Whether it scales is not tested, since the
//! cluster may have no metrics server.

use std::collections::BTreeMap;

use anyhow::ensure;
use k8s_openapi::api::autoscaling::v2::{HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec};
use kube::Api;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::install;
use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use super::support::differences::differences;
use super::support::extra::{self, Changes};
use kubernetes::call;
use suite::{CaseKind, CaseSpec, Parameters, Suite, Topology, definitions};

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "autoscaler",
        summary: "a second release has this `HorizontalPodAutoscaler` with these settings; whether it scales is not \
                  tested",
        needs: &[&install::CASE.kind],
        takes_release: true,
        parameters: Parameters::of::<With>(),
        check: bounds,
        ..CaseKind::DEFAULT
    },
    run: |cx| passing(run(cx)),
};

/// The parameters of the case.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct With {
    /// Values that enable it, in a second release.
    #[schemars(schema_with = "definitions::set")]
    set: Vec<String>,
    /// Name of the HorizontalPodAutoscaler.
    #[schemars(schema_with = "definitions::object")]
    hpa: String,
    /// Minimum number of replicas.
    #[schemars(range(min = 1, max = 1000))]
    min: i32,
    /// Maximum number of replicas.
    #[schemars(range(min = 1, max = 1000))]
    max: i32,
    /// Target utilization in percent of the request, by resource: `{ cpu = 70 }`.
    #[schemars(schema_with = "targets")]
    targets: BTreeMap<String, i32>,
}

fn targets(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "minProperties": 1,
        "maxProperties": 10,
        "propertyNames": {
            "type": "string",
            "description": "a resource: cpu or memory",
            "maxLength": 253,
            "pattern": "^[a-z0-9]([a-z0-9./-]*[a-z0-9])?$",
        },
        "additionalProperties": { "type": "integer", "minimum": 1, "maximum": 1000, "description": "percent" },
    })
}

fn bounds(case: &CaseSpec, _: &Topology, _: &Suite) -> Result<(), String> {
    let With { min, max, .. } = case.with()?;
    if min > max {
        return Err(format!("`min = {min}` is greater than `max = {max}`: swap them"));
    }
    Ok(())
}

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let (deployed, with) = (cx.deployed()?, cx.with::<With>()?);
    let changes = Changes { set: with.set.clone(), ..Changes::default() };
    extra::with(cx, cx.deployed_release(&deployed)?, "scaled", &changes, async |extra| {
        let autoscalers: Api<HorizontalPodAutoscaler> =
            Api::namespaced(deployed.client.clone(), extra.watch.namespace());
        let found = call(&format!("getting HorizontalPodAutoscaler/{}", with.hpa), autoscalers.get(&with.hpa)).await?;
        check(&with, &found.spec, &extra.workloads())
    })
    .await?;
    Ok(format!("{} to {} replicas; whether it scales was not tested", with.min, with.max))
}

fn check(with: &With, spec: &HorizontalPodAutoscalerSpec, workloads: &[(&str, &str)]) -> anyhow::Result<()> {
    let name = &with.hpa;
    let bounds = (spec.min_replicas.unwrap_or(1), spec.max_replicas);
    ensure!(
        bounds == (with.min, with.max),
        "HorizontalPodAutoscaler/{name} scales from {} to {} replicas instead of {} to {}",
        bounds.0,
        bounds.1,
        with.min,
        with.max
    );
    let target = (spec.scale_target_ref.kind.as_str(), spec.scale_target_ref.name.as_str());
    ensure!(
        workloads.contains(&target),
        "HorizontalPodAutoscaler/{name} scales {}/{}, which is not a workload of the release",
        target.0,
        target.1
    );
    let metrics = spec.metrics.iter().flatten().filter_map(|metric| metric.resource.as_ref());
    let targets: BTreeMap<_, _> =
        metrics.filter_map(|resource| Some((resource.name.clone(), resource.target.average_utilization?))).collect();
    ensure!(
        targets == with.targets,
        "HorizontalPodAutoscaler/{name} has other targets than expected: {}",
        differences(&targets, &with.targets)
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn checked(change: impl FnOnce(&mut serde_json::Value)) -> anyhow::Result<()> {
        let metric = |name: &str, percent: i32| json!({ "type": "Resource", "resource": { "name": name, "target": { "type": "Utilization", "averageUtilization": percent } } });
        let mut spec = json!({
            "minReplicas": 2, "maxReplicas": 10, "metrics": [metric("cpu", 70)],
            "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "web" },
        });
        change(&mut spec);
        let targets = [("cpu".to_owned(), 70)].into();
        let with = With { set: vec![], hpa: "web".to_owned(), min: 2, max: 10, targets };
        check(&with, &serde_json::from_value(spec).unwrap(), &[("Deployment", "web")])
    }

    #[test]
    fn differences_are_named() {
        checked(|_| ()).unwrap();
        let error = |change: fn(&mut serde_json::Value)| checked(change).unwrap_err().to_string();
        assert_eq!(
            error(|spec| spec["maxReplicas"] = json!(4)),
            "HorizontalPodAutoscaler/web scales from 2 to 4 replicas instead of 2 to 10"
        );
        let other = error(|spec| spec["scaleTargetRef"]["name"] = json!("api"));
        assert_eq!(other, "HorizontalPodAutoscaler/web scales Deployment/api, which is not a workload of the release");
        let none = error(|spec| spec["metrics"] = json!([]));
        assert_eq!(none, "HorizontalPodAutoscaler/web has other targets than expected: cpu: none instead of 70");
    }
}
