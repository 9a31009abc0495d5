//! Switches, and the order in which services start.

use super::{CHART, SERVICES, defaults, deployment};
use crate::helm::{HELMS, Render};
use crate::manifests::{Manifests, at};

/// Returns the services that this service waits for.
fn waits_for(rendered: &Manifests, service: &str) -> Vec<String> {
    let containers = at(rendered.get(&deployment(service)), "spec.template.spec.initContainers").as_array();
    let names = containers.into_iter().flatten().map(|container| container["name"].as_str().unwrap());
    names.map(|name| name.strip_prefix("wait-for-").unwrap().to_owned()).collect()
}

fn url_of(rendered: &Manifests, service: &str, missing: &str) -> String {
    let place = format!("spec.template.spec.initContainers[wait-for-{missing}].env[URL].value");
    at(rendered.get(&deployment(service)), &place).as_str().unwrap().to_owned()
}

#[test]
fn all_services_are_deployed() {
    let rendered = defaults().manifests();
    for (_, name) in SERVICES {
        let pod = at(rendered.get(&deployment(name)), "spec.template.spec.containers[0]").clone();
        assert_eq!(pod["name"], name);
        assert_eq!(pod["image"], format!("toskamesh-{name}:latest"));
        assert_eq!(at(&pod, "livenessProbe.httpGet.path"), "/health/live");
        assert_eq!(at(&pod, "readinessProbe.httpGet.path"), "/health/ready");
        rendered.get(&format!("Service/toskamesh-{name}"));
    }
    assert_eq!(at(rendered.get("Service/toskamesh-gateway"), "spec.type"), "LoadBalancer");
    let ports = at(rendered.get("Service/toskamesh-core"), "spec.ports").as_array().unwrap();
    assert_eq!(ports.iter().map(|port| port["port"].as_u64().unwrap()).collect::<Vec<_>>(), [80, 11111, 30000]);
}

#[test]
fn each_switch_removes_only_one_service() {
    let all = defaults().manifests().ids();
    for (key, name) in SERVICES {
        let rendered = defaults().value(&format!("{key}.enabled"), false).manifests();
        let gone: Vec<_> = all.iter().filter(|id| !rendered.ids().contains(id)).cloned().collect();
        let (service, pod) = (format!("Service/toskamesh-{name}"), format!("Pod/toskamesh-{name}-test-connection"));
        assert_eq!(gone, [service, deployment(name), pod], "{key}");
        assert_eq!(at(rendered.get("ConfigMap"), &format!("data.{key}")), "false");
    }
}

#[test]
fn each_service_can_be_deployed_alone() {
    for (key, name) in SERVICES {
        let alone =
            |render: Render, (other, _): &(&str, &str)| render.value(&format!("{other}.enabled"), *other == key);
        let rendered = SERVICES.iter().fold(defaults(), alone).manifests();
        let deployments: Vec<_> = rendered.ids().into_iter().filter(|id| id.starts_with("Deployment/")).collect();
        assert_eq!(deployments, [deployment(name)]);
    }
}

#[test]
fn services_start_in_the_documented_order() {
    let rendered = defaults().manifests();
    assert_eq!(waits_for(&rendered, "core"), ["consul", "postgres"]);
    assert_eq!(waits_for(&rendered, "discovery"), ["consul", "rabbitmq", "core"]);
    for service in ["auth-service", "config-service", "metrics-service", "tracing-service"] {
        assert_eq!(waits_for(&rendered, service), ["postgres", "discovery"], "{service}");
    }
    for service in ["gateway", "health-monitor"] {
        assert_eq!(waits_for(&rendered, service), ["discovery"], "{service}");
    }
}

#[test]
fn services_wait_for_services_of_the_release_or_external_ones() {
    let rendered = defaults().release("mesh").value("global.externalServices.postgres.host", "\"db\"").manifests();
    let gateway = rendered.get("Deployment/mesh-gateway");
    let place = "spec.template.spec.initContainers[wait-for-discovery].env[URL].value";
    assert_eq!(at(gateway, place), "http://mesh-discovery/health/ready");
    rendered.get("Service/mesh-discovery");
    let of_defaults = defaults().value("global.externalServices.postgres.host", "\"db\"").manifests();
    assert_eq!(url_of(&of_defaults, "core", "postgres"), "tcp://db:5432");
}

#[test]
fn no_service_waits_for_one_that_is_switched_off() {
    let rendered = defaults().value("discovery.enabled", false).manifests();
    let wait = "spec.template.spec.initContainers[wait-for-discovery].env[SWITCH].valueFrom.configMapKeyRef";
    let switch = at(rendered.get(&deployment("gateway")), wait);
    let switches = rendered.get(&format!("ConfigMap/{}", switch["name"].as_str().unwrap()));
    assert_eq!(switches["data"][switch["key"].as_str().unwrap()], "false");
}

#[test]
fn a_release_whose_services_would_share_a_name_is_rejected() {
    let render = |release: &str| defaults().release(release).text(&HELMS[0]);
    let refused = render("a-release-whose-name-is-too-long-by-1").expect_err("37 characters");
    assert!(refused.contains("is longer than 36 characters"), "{refused}");
    let rendered = Manifests::parse(&render("a-release-whose-name-just-about-fits").expect("36 characters"));
    let mut ids = rendered.ids();
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count);
}

#[test]
fn the_notes_list_the_enabled_services() {
    let notes = CHART.render().value("tracingService.enabled", false).notes();
    assert!(notes.contains("toskamesh-gateway: 1 replica(s)") && notes.contains("toskamesh-tracing-service: off"));
}
