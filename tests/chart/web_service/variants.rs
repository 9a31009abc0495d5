//! What zero-downtime updates and the documented commands rely on, and one complete rendering.

use insta::assert_snapshot;

use super::{CHART, defaults};
use crate::helm::Render;
use crate::manifests::at;

fn r2() -> Render {
    defaults().file(&CHART.ci("r2-values.yaml"))
}

#[test]
fn two_replicas_as_rendered() {
    let objects = r2().manifests().0;
    let objects: Vec<_> = objects.iter().map(|object| serde_json::to_string_pretty(object).unwrap()).collect();
    assert_snapshot!(objects.join("\n---\n"));
}

#[test]
fn with_an_autoscaler_the_chart_sets_no_replicas() {
    let rendered = defaults().file(&CHART.ci("autoscaling-values.yaml")).manifests();
    assert_eq!(at(rendered.get("Deployment"), "spec.replicas"), &serde_json::Value::Null);
    let scaler = &rendered.get("HorizontalPodAutoscaler")["spec"];
    assert_eq!((&scaler["minReplicas"], &scaler["maxReplicas"]), (&2.into(), &10.into()));
    let targets: Vec<_> = scaler["metrics"].as_array().unwrap().iter().map(|metric| at(metric, "resource")).collect();
    let target = |index: usize| (&targets[index]["name"], at(targets[index], "target.averageUtilization"));
    assert_eq!(target(0), (&"cpu".into(), &70.into()));
    assert_eq!(target(1), (&"memory".into(), &80.into()));
    assert_eq!(scaler["scaleTargetRef"]["name"], rendered.get("Deployment")["metadata"]["name"]);
}

#[test]
fn a_new_replica_is_ready_before_an_old_one_is_stopped() {
    for render in [defaults(), r2()] {
        let rendered = render.manifests();
        let deployment = rendered.get("Deployment");
        assert_eq!(at(deployment, "spec.strategy.rollingUpdate.maxUnavailable"), 0);
        let pause = at(deployment, "spec.template.spec.containers[0].lifecycle.preStop.sleep.seconds").as_u64();
        let grace = at(deployment, "spec.template.spec.terminationGracePeriodSeconds").as_u64();
        assert!(pause.unwrap() > 0 && pause < grace, "{pause:?} of {grace:?}");
    }
}

#[test]
fn a_configuration_change_replaces_pods_and_a_chart_upgrade_does_not() {
    let template = |render: Render| at(render.manifests().get("Deployment"), "spec.template").to_string();
    assert_ne!(template(r2()), template(r2().value("config.RELEASE", "\"2\"")));
    assert!(!template(r2()).contains("helm.sh/chart"));
}

#[test]
fn the_secret_is_referenced_by_a_name_from_the_values() {
    let name = |render: Render| {
        let place = "spec.template.spec.containers[0].env[VOLATICLOUD_DATABASE].valueFrom.secretKeyRef.name";
        at(render.manifests().get("Deployment"), place).clone()
    };
    assert_eq!(name(r2()), "volaticloud-db-secret");
    assert_eq!(name(r2().value("secrets.VOLATICLOUD_DATABASE.name", "\"absent\"")), "absent");
}

#[test]
fn the_longest_release_name_is_valid() {
    let render = defaults().release("a-release-whose-name-is-as-long-as-helm-lets-it-be-53");
    for object in &render.file(&CHART.ci("full-values.yaml")).value("fullnameOverride", "\"\"").manifests().0 {
        let name = object["metadata"]["name"].as_str().unwrap();
        assert!(name.len() <= 63 && !name.ends_with('-'), "{name}");
        for (key, value) in at(object, "metadata.labels").as_object().unwrap() {
            assert!(value.as_str().unwrap().len() <= 63, "{key}: {value}");
        }
    }
}

#[test]
fn the_notes_warn_of_a_budget_that_blocks_every_drain() {
    let warned = |render: Render| render.notes().contains("WARNING");
    assert!(!warned(r2()));
    assert!(warned(r2().value("replicaCount", 1)));
    assert!(!warned(defaults().file(&CHART.ci("minimal-values.yaml"))));
}

#[test]
fn the_notes_name_the_ingress() {
    let notes = defaults().file(&CHART.ci("ingress-values.yaml")).notes();
    assert!(notes.contains("https://api.volaticloud.com") && !notes.contains("port-forward"), "{notes}");
}
