//! Tests with the objects of charts that are shaped as public ones are: the written suite has to load.

use std::path::Path;

use serde_json::{Value, json};

use super::found::Found;
use super::*;
use suite::{ImageUnderTest, Suite};

/// Loads the suite that is written for these objects.
fn written(name: &str, objects: &[Value]) -> Suite {
    loaded(&Found::of(&label(name), name, objects))
}

fn loaded(found: &Found) -> Suite {
    let text = text::suite(found);
    load::parse(Path::new("e2e.toml"), &text, &crate::cases::kinds()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn cases(suite: &Suite) -> Vec<&str> {
    suite.topologies[0].cases.iter().map(|case| case.name.as_str()).collect()
}

fn service(name: &str, app: &str, more: &Value) -> Value {
    let mut spec = json!({ "selector": { "app": app }, "ports": [{ "port": 80, "targetPort": "http" }] });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({ "kind": "Service", "metadata": { "name": name }, "spec": spec })
}

fn workload(kind: &str, name: &str, app: &str, containers: &Value) -> Value {
    let template =
        json!({ "metadata": { "labels": { "app": app, "pod": "yes" } }, "spec": { "containers": containers } });
    json!({ "kind": kind, "metadata": { "name": name }, "spec": { "replicas": 2, "template": template } })
}

#[test]
fn workload_service_and_budget_belong_together_by_their_selectors() {
    let main = json!([
        { "name": "reloader", "image": "example/reloader:1", "ports": [{ "name": "metrics", "containerPort": 9 }] },
        { "name": "server", "image": "docker.io/example/web:1", "ports": [{ "name": "http", "containerPort": 8080 }],
          "readinessProbe": { "httpGet": { "path": "/ready", "port": "http" } } },
    ]);
    let budget = |name: &str, app: &str| json!({ "kind": "PodDisruptionBudget", "metadata": { "name": name }, "spec": { "selector": { "matchLabels": { "app": app } } } });
    let suite = written(
        "web",
        &[
            service("cache", "cache", &json!({})),
            service("web-headless", "web", &json!({ "clusterIP": "None" })),
            service("web-metrics", "web", &json!({ "ports": [{ "port": 9, "targetPort": "metrics" }] })),
            service("web-http", "web", &json!({})),
            workload("Deployment", "web", "web", &main),
            workload("Deployment", "cache", "cache", &json!([{ "name": "cache", "image": "redis:8" }])),
            budget("cache", "cache"),
            budget("web", "web"),
        ],
    );
    let found = &suite.workloads[0];
    assert_eq!((found.object(), found.container.as_str()), (("Deployment", "web"), "server"));
    assert_eq!((found.service.as_deref(), found.disruption_budget.as_deref()), (Some("web-http"), Some("web")));
    assert_eq!(suite.workloads[0].http.as_ref().unwrap().port, 8080);
    assert_eq!(suite.topologies[0].replicas, 2);
    let expected =
        ["install", "ready", "health", "replace_all", "pod_kill_leader", "pod_kill_leader_cache", "uninstall"];
    assert_eq!(cases(&suite), expected);
    assert_eq!((suite.workloads[1].name(), suite.workloads[1].service.as_deref()), ("cache", Some("cache")));
}

#[test]
fn several_workloads_have_their_own_images_replicas_and_probes() {
    let (image, probe) =
        (|name: &str| format!("example/{name}:1"), json!({ "exec": { "command": ["cache", "it's up"] } }));
    let of = |name: &str| json!([{ "name": name, "image": image(name), "readinessProbe": probe }]);
    let mut objects = vec![
        workload("StatefulSet", "web", "web", &of("web")),
        workload("Deployment", "cache", "cache", &of("cache")),
        workload("DaemonSet", "agent", "agent", &of("agent")),
        workload("Deployment", "same-as-web", "same", &of("web")),
    ];
    objects[1]["spec"]["replicas"] = json!(1);
    let mut found = Found::of("web", "web", &objects);
    let values =
        |path: &str| ImageUnderTest { repository: path.to_owned(), name: Some(path.to_owned()), ..Default::default() };
    found.images = vec![values("web"), values("agent")];
    let names: Vec<_> = found.workloads.iter().map(|one| one.name.clone()).collect();
    assert_eq!(names, ["web", "same-as-web", "cache", "agent"]);
    for (index, image) in [Some(0), Some(0), None, Some(1)].into_iter().enumerate() {
        found.workloads[index].image = image;
    }
    let suite = loaded(&found);
    let images: Vec<_> = suite.workloads.iter().map(|one| (one.image.as_deref(), one.own_image)).collect();
    assert_eq!(images, [(None, false), (None, false), (None, true), (Some("agent"), false)]);
    let replicas: Vec<_> = suite.workloads.iter().map(|one| one.replicas(&suite.topologies[0])).collect();
    assert_eq!(replicas, [Some(2), Some(2), Some(1), None]);
    assert!(suite.workloads.iter().all(|one| one.health.is_some()));
    let of_others = ["health_cache", "pod_kill_cache", "health_same_as_web", "pod_kill_leader_same_as_web"];
    let listed = cases(&suite);
    assert!(
        of_others.iter().chain(&["health_agent", "pod_kill_agent"]).all(|case| listed.contains(case)),
        "{listed:?}"
    );
}

#[test]
fn a_chart_of_a_job_has_no_replicas_to_ask() {
    let suite = written("batch", &[json!({ "kind": "Job", "metadata": { "name": "batch" } })]);
    assert_eq!(cases(&suite), ["install", "job_completes", "uninstall"]);
}

#[test]
fn a_chart_of_a_daemon_set_has_a_replica_on_each_node() {
    let mut set = workload("DaemonSet", "agent", "agent", &json!([{ "name": "agent", "image": "a:1" }]));
    let found = Found::of("agent", "agent", std::slice::from_ref(&set));
    assert_eq!(found.missing().len(), 2, "neither image nor probe: {:?}", found.missing());
    let suite = loaded(&found);
    assert_eq!(suite.workloads[0].object(), ("DaemonSet", "agent"));
    assert_eq!(cases(&suite), ["install", "ready", "pod_kill", "uninstall"]);
    set["spec"]["template"]["spec"]["nodeSelector"] = json!({ "kubernetes.io/os": "windows" });
    assert!(written("agent", &[set]).workloads.is_empty(), "there is no such node");
}

#[test]
fn charts_without_a_workload_get_a_suite_too() {
    let pod = json!({ "template": { "spec": { "containers": [{ "name": "a", "image": "a:1" }] } } });
    let cron =
        json!({ "kind": "CronJob", "metadata": { "name": "nightly" }, "spec": { "jobTemplate": { "spec": pod } } });
    assert_eq!(cases(&written("nightly", &[cron])), ["install", "ready", "cron_job_runs", "uninstall"]);
    let definition = json!({ "kind": "CustomResourceDefinition", "metadata": { "name": "things.example.com" } });
    assert_eq!(cases(&written("crds", &[definition])), ["install", "ready", "uninstall"]);
    assert_eq!(cases(&written("maps", &[])), ["install", "uninstall"]);
}

#[test]
fn an_operator_without_a_service_is_a_workload() {
    let containers = json!([{ "name": "manager", "image": "example/operator:1" }]);
    let found = Found::of("operator", "operator", &[workload("Deployment", "operator", "operator", &containers)]);
    let suite = loaded(&found);
    assert_eq!(suite.workloads[0].service, None);
    assert_eq!(cases(&suite), ["install", "ready", "replace_all", "pod_kill_leader", "uninstall"]);
    assert_eq!(
        found.missing(),
        [
            "no value was found that sets example/operator:1: write [image]",
            "no value was found that sets the replicas of Deployment/operator: write [scale]",
            "container manager of Deployment/operator has no probe: write [http]",
        ]
    );
}

#[test]
fn a_database_that_is_known_has_its_records_as_comments() {
    let containers = json!([{ "name": "redis", "image": "docker.io/library/redis:8",
        "readinessProbe": { "exec": { "command": ["redis-cli", "ping"] } } }]);
    let found = Found::of(
        "cache",
        "redis",
        &[workload("StatefulSet", "cache", "redis", &containers), service("cache", "redis", &json!({}))],
    );
    let text = text::suite(&found);
    assert!(text.contains("\n# [records.write]\n"), "{text}");
    assert!(text.contains("[health]\nrequest = { exec = [\"redis-cli\", \"ping\"] }\n"), "{text}");
    assert_eq!(cases(&loaded(&found)), ["install", "ready", "health", "replace_all", "pod_kill_leader", "uninstall"]);
}

#[test]
fn a_chart_s_name_gives_a_name_that_a_suite_may_have() {
    assert_eq!(label("web-service"), "web-service");
    assert_eq!(label("_My Chart_"), "my-chart");
    assert_eq!(label("prometheus-yet-another-cloudwatch-exporter"), "pyace");
    assert_eq!(label(&"x".repeat(40)), "x");
    assert_eq!(label("…"), "chart");
}

#[test]
fn the_suite_file_goes_to_the_chart_s_folder_or_to_one_with_its_name() {
    let of = |chart: &str, version: Option<&str>| {
        let source = ChartSource::of(chart, version, Path::new(""), Path::new(".")).unwrap();
        let place = Place::of(&source, "web");
        (place.folder.display().to_string(), place.chart)
    };
    let expected = |folder: &str, chart: &str| (folder.to_owned(), chart.to_owned());
    assert_eq!(of("helm/web", None), expected("helm/web", "."));
    assert_eq!(of("packages/web-1.tgz", None), expected("web", "../packages/web-1.tgz"));
    assert_eq!(of("/packages/web-1.tgz", None), expected("web", "/packages/web-1.tgz"));
    assert_eq!(of("ours/web", Some("1.0.0")), expected("web", "ours/web"));
    assert_eq!(of("git:HEAD~1:helm/web", None), expected("helm/web", "git:HEAD~1"));
}
