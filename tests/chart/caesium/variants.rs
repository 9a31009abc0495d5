//! Checks for every values file in `ci`.

use insta::assert_snapshot;
use serde_json::Value;

use super::{CHART, defaults};
use crate::manifests::{Manifests, at};

fn renderings() -> Vec<(String, Manifests)> {
    let of_files = CHART
        .variants()
        .into_iter()
        .map(|file| (file.file_name().unwrap().to_string_lossy().into_owned(), defaults().file(&file).manifests()));
    of_files.chain([("values.yaml".to_owned(), defaults().manifests())]).collect()
}

#[test]
fn every_topology_of_the_suite_has_a_values_file() {
    let names: Vec<_> =
        CHART.variants().iter().map(|file| file.file_name().unwrap().to_string_lossy().into_owned()).collect();
    let want = [
        "full-values.yaml",
        "r1-values.yaml",
        "r3-ephemeral-values.yaml",
        "r3-values.yaml",
        "r5-values.yaml",
        "test-values.yaml",
        "usual-values.yaml",
    ];
    assert_eq!(names, want);
}

#[test]
fn three_replicas_as_rendered() {
    let rendered = defaults().file(&CHART.ci("r3-values.yaml")).manifests();
    let objects: Vec<_> =
        rendered.0.iter().map(|object| serde_json::to_string_pretty(&without_script(object)).unwrap()).collect();
    assert_snapshot!(objects.join("\n---\n"));
}

/// Removes the script, which has its own tests and would only clutter the snapshot.
fn without_script(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(script) = object.pointer_mut("/data/discover.sh") {
        *script = "…".into();
    }
    if let Some(checksum) = object.pointer_mut("/spec/template/metadata/annotations/checksum~1config") {
        *checksum = "…".into();
    }
    object
}

#[test]
fn containers_cannot_write_to_their_image() {
    for (variant, rendered) in renderings() {
        for (owner, pod) in rendered.pods() {
            assert_eq!(pod.enable_service_links, Some(false), "{variant}: {owner}");
            for container in pod.init_containers.iter().flatten().chain(&pod.containers) {
                let security = container.security_context.as_ref().unwrap();
                assert_eq!(security.read_only_root_filesystem, Some(true), "{variant}: {}", container.name);
                assert_eq!(security.run_as_user, Some(10001), "{variant}: {}", container.name);
            }
        }
    }
}

#[test]
fn writable_paths_are_volumes() {
    for (variant, rendered) in renderings() {
        let set = rendered.get("StatefulSet");
        let mounts = at(set, "spec.template.spec.containers[caesium].volumeMounts");
        let paths: Vec<_> =
            mounts.as_array().unwrap().iter().map(|mount| mount["mountPath"].as_str().unwrap()).collect();
        assert_eq!(paths, ["/var/lib/caesium/dqlite", "/etc/caesium", "/tmp"], "{variant}");
    }
}

#[test]
fn selectors_match_only_the_replicas() {
    for (variant, rendered) in renderings() {
        let set = rendered.get("StatefulSet");
        let selector = at(set, "spec.selector.matchLabels");
        let mut selectors = vec![selector];
        selectors.extend(
            rendered.0.iter().filter(|object| object["kind"] == "Service").map(|service| at(service, "spec.selector")),
        );
        selectors.extend(rendered.find("PodDisruptionBudget").map(|budget| at(budget, "spec.selector.matchLabels")));
        for other in &selectors {
            assert_eq!(*other, selector, "{variant}: selectors differ");
        }
        assert!(
            selector.get("helm.sh/chart").is_none(),
            "{variant}: the selector would change with the chart's version"
        );
        assert!(
            selector.get("app.kubernetes.io/version").is_none(),
            "{variant}: the selector would change with the image"
        );
        assert!(matches(selector, at(set, "spec.template.metadata.labels")), "{variant}: its own pods");
        assert!(!matches(selector, at(rendered.get("Pod"), "metadata.labels")), "{variant}: the test's pod");
    }
}

fn matches(selector: &Value, labels: &Value) -> bool {
    selector.as_object().unwrap().iter().all(|(key, value)| labels.get(key) == Some(value))
}

#[test]
fn immutable_fields_do_not_name_the_chart() {
    let claim = defaults().manifests().get("StatefulSet")["spec"]["volumeClaimTemplates"][0].clone();
    assert!(at(&claim, "metadata.labels[helm.sh/chart]").is_null());
    assert!(!at(&claim, "metadata.labels[app.kubernetes.io/instance]").is_null());
}
