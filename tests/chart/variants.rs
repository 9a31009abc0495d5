//! Every values file in `ci/`: it lints, it renders alike with every helm, and the objects are sound.

use insta::assert_snapshot;
use serde_json::Value;

use crate::helm::{HELMS, Render, chart, run, variant, variants};
use crate::manifests::{Manifests, at, check_fields};
use crate::pod_security;

fn renderings() -> Vec<(String, Manifests)> {
    let of_files = variants().into_iter().map(|file| {
        (file.file_name().unwrap().to_string_lossy().into_owned(), Render::defaults().file(&file).manifests())
    });
    of_files.chain([("values.yaml".to_owned(), Render::defaults().manifests())]).collect()
}

#[test]
fn the_topologies_of_the_suite_have_their_values() {
    let names: Vec<_> =
        variants().iter().map(|file| file.file_name().unwrap().to_string_lossy().into_owned()).collect();
    let want = ["full-values.yaml", "r1-values.yaml", "r3-ephemeral-values.yaml", "r3-values.yaml", "test-values.yaml"];
    assert_eq!(names, want);
}

#[test]
fn lints_strictly() {
    for helm in HELMS.iter() {
        for file in variants() {
            let (chart, values) = (chart().display().to_string(), file.display().to_string());
            let said = run(helm, &["lint", "--strict", &chart, "--values", &values]);
            assert!(said.ok, "{} lint --values {values}: {}{}", helm.display(), said.stdout, said.stderr);
        }
    }
}

#[test]
fn every_helm_renders_the_same() {
    for file in variants() {
        let render = Render::defaults().file(&file);
        let texts: Vec<_> = HELMS.iter().map(|helm| render.text(helm).unwrap()).collect();
        for pair in texts.windows(2) {
            assert_eq!(Manifests::parse(&pair[0]).0, Manifests::parse(&pair[1]).0, "{}", file.display());
        }
    }
}

#[test]
fn three_replicas_as_rendered() {
    let rendered = Render::defaults().file(&variant("r3-values.yaml")).manifests();
    let objects: Vec<_> =
        rendered.0.iter().map(|object| serde_json::to_string_pretty(&without_script(object)).unwrap()).collect();
    assert_snapshot!(objects.join("\n---\n"));
}

/// The script has tests of its own; here it would only hide the rest.
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
fn objects_have_only_fields_that_kubernetes_knows() {
    for (_, rendered) in renderings() {
        rendered.0.iter().for_each(check_fields);
    }
}

#[test]
fn pods_meet_the_restricted_standard() {
    for (variant, rendered) in renderings() {
        for (owner, pod) in rendered.pods() {
            assert_eq!(pod_security::violations(&pod), Vec::<String>::new(), "{variant}: {owner}");
        }
    }
}

#[test]
fn containers_cannot_write_to_their_image_nor_talk_to_kubernetes() {
    for (variant, rendered) in renderings() {
        for (owner, pod) in rendered.pods() {
            assert_eq!(pod.automount_service_account_token, Some(false), "{variant}: {owner}");
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
fn what_is_written_is_a_volume() {
    for (variant, rendered) in renderings() {
        let set = rendered.get("StatefulSet");
        let mounts = at(set, "spec.template.spec.containers[caesium].volumeMounts");
        let paths: Vec<_> =
            mounts.as_array().unwrap().iter().map(|mount| mount["mountPath"].as_str().unwrap()).collect();
        assert_eq!(paths, ["/var/lib/caesium/dqlite", "/etc/caesium", "/tmp"], "{variant}");
    }
}

#[test]
fn selectors_find_the_replicas_and_nothing_else() {
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
fn what_cannot_be_changed_does_not_name_the_chart() {
    let claim = Render::defaults().manifests().get("StatefulSet")["spec"]["volumeClaimTemplates"][0].clone();
    assert!(at(&claim, "metadata.labels[helm.sh/chart]").is_null());
    assert!(!at(&claim, "metadata.labels[app.kubernetes.io/instance]").is_null());
}

#[test]
fn objects_say_where_they_come_from() {
    for (variant, rendered) in renderings() {
        for object in rendered.0.iter().filter(|object| object["kind"] != "Pod") {
            let labels = at(object, "metadata.labels");
            for label in [
                "helm.sh/chart",
                "app.kubernetes.io/name",
                "app.kubernetes.io/instance",
                "app.kubernetes.io/version",
                "app.kubernetes.io/managed-by",
            ] {
                assert!(labels.get(label).is_some(), "{variant}: {} lacks {label}", object["kind"]);
            }
            assert_eq!(object["metadata"]["namespace"], "default", "{variant}: {}", object["kind"]);
        }
    }
}
