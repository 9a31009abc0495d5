//! Names: valid in Kubernetes regardless of the release's name; and references between objects.

use super::{CHART, defaults};
use crate::helm::Render;
use crate::manifests::{Manifests, at};

/// The longest release name that helm accepts, and one that would end in a hyphen when truncated.
const RELEASES: [&str; 3] = [
    "caesium",
    "a-release-whose-name-is-as-long-as-helm-lets-it-be-53",
    "a-release-whose-name-is-cut-at-a-hyphen-of-its-own-a",
];

fn renderings() -> Vec<Manifests> {
    let full = || defaults().file(&CHART.ci("full-values.yaml"));
    let long = format!("\"{}\"", "n".repeat(80));
    let mut renderings: Vec<_> = RELEASES.iter().map(|release| full().release(release).manifests()).collect();
    renderings.push(full().value("fullnameOverride", &long).manifests());
    renderings.push(full().value("nameOverride", &long).manifests());
    renderings
}

#[test]
fn names_and_labels_are_valid() {
    for rendered in renderings() {
        for object in &rendered.0 {
            let name = object["metadata"]["name"].as_str().unwrap();
            assert!(name.len() <= 63 && !name.ends_with('-') && !name.contains("--"), "{name}");
            for labels in [at(object, "metadata.labels"), at(object, "spec.template.metadata.labels")] {
                for (key, value) in labels.as_object().into_iter().flatten() {
                    let value = value.as_str().unwrap();
                    assert!(value.len() <= 63 && !value.ends_with(['-', '.', '_']), "{key}: {value}");
                }
            }
        }
    }
}

#[test]
fn a_pods_revision_label_is_valid() {
    for rendered in renderings() {
        let name = rendered.get("StatefulSet")["metadata"]["name"].as_str().unwrap();
        assert!(format!("{name}-0123456789").len() <= 63, "controller-revision-hash of {name} is not a valid label");
    }
}

#[test]
fn names_are_unique() {
    for rendered in renderings() {
        let mut ids = rendered.ids();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), rendered.0.len(), "{ids:?}");
    }
}

#[test]
fn references_name_existing_objects() {
    for rendered in renderings() {
        let set = rendered.get("StatefulSet");
        let pod = at(set, "spec.template.spec");
        let named = |place: &str| at(pod, place).as_str().unwrap().to_owned();
        let headless = at(set, "spec.serviceName").as_str().unwrap();
        assert_eq!(at(rendered.get(&format!("Service/{headless}")), "spec.clusterIP"), "None");
        rendered.get(&format!("ConfigMap/{}", named("volumes[discovery].configMap.name")));
        rendered.get(&format!("ServiceAccount/{}", named("serviceAccountName")));
        let api = set["metadata"]["name"].as_str().unwrap();
        rendered.get(&format!("Service/{api}"));
        assert_eq!(at(rendered.get("Ingress"), "spec.rules[0].http.paths[0].backend.service.name"), api);
        let asked = at(rendered.get("Pod"), "spec.containers[curl].args").as_array().unwrap().last().unwrap();
        assert_eq!(asked, &format!("http://{api}:80/health"));
        let environment = "initContainers[discover-peers].env";
        assert_eq!(
            named(&format!("{environment}[API_URL].value")),
            format!("http://{api}.default.svc.cluster.example:80")
        );
        assert_eq!(
            named(&format!("{environment}[POD_DOMAIN].value")),
            format!("{headless}.default.svc.cluster.example")
        );
    }
}

#[test]
fn names_follow_the_release_and_the_overrides() {
    let name = |render: Render| render.manifests().get("StatefulSet")["metadata"]["name"].as_str().unwrap().to_owned();
    assert_eq!(name(defaults()), "caesium");
    assert_eq!(name(defaults().release("prod")), "prod-caesium");
    assert_eq!(name(defaults().release("my-caesium")), "my-caesium");
    assert_eq!(name(defaults().value("nameOverride", "\"jobs\"")), "caesium-jobs");
    assert_eq!(name(defaults().value("fullnameOverride", "\"jobs\"")), "jobs");
}
