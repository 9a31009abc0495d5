//! What the documented commands rely on, and one complete rendering.

use insta::assert_snapshot;

use super::{CHART, defaults};
use crate::manifests::at;

#[test]
fn a_calendar_as_rendered() {
    let production = CHART.path().join("values/caelundas-production.yaml");
    let rendered = defaults().release("caelundas-20260125-143022").file(&production).manifests();
    let objects: Vec<_> = rendered.0.iter().map(|object| serde_json::to_string_pretty(object).unwrap()).collect();
    assert_snapshot!(objects.join("\n---\n"));
}

#[test]
fn the_job_and_its_claim_have_the_releases_name() {
    let rendered = defaults().release("caelundas-20260125-143022").manifests();
    assert_eq!(rendered.ids(), ["PersistentVolumeClaim/caelundas-20260125-143022", "Job/caelundas-20260125-143022"]);
}

#[test]
fn two_releases_share_nothing() {
    let ids = |release: &str| defaults().release(release).manifests().ids();
    assert!(ids("run-1").iter().all(|id| !ids("run-2").contains(id)));
}

#[test]
fn the_longest_release_name_is_valid() {
    let release = "a-release-whose-name-is-as-long-as-helm-lets-it-be-53";
    let rendered = defaults().release(release).value("nameOverride", format!("\"{}\"", "n".repeat(80))).manifests();
    for object in &rendered.0 {
        for value in at(object, "metadata.labels").as_object().unwrap().values() {
            assert!(value.as_str().unwrap().len() <= 63, "{value}");
        }
    }
    assert!(at(rendered.get("Job"), "spec.template.spec.containers[0].name").as_str().unwrap().len() <= 63);
}

#[test]
fn the_claim_outlives_the_release_and_is_found_by_label() {
    let rendered = defaults().file(&CHART.ci("output-values.yaml")).manifests();
    let claim = rendered.get("PersistentVolumeClaim");
    assert_eq!(at(claim, "metadata.annotations[helm.sh/resource-policy]"), "keep");
    assert_eq!(at(claim, "metadata.labels[app.kubernetes.io/name]"), "caelundas");
    assert_eq!(at(rendered.get("Job"), "metadata.annotations[helm.sh/resource-policy]"), &serde_json::Value::Null);
}

#[test]
fn a_failed_attempt_keeps_its_pod() {
    let rendered = defaults().file(&CHART.ci("failing-values.yaml")).manifests();
    assert_eq!(at(rendered.get("Job"), "spec.template.spec.restartPolicy"), "Never");
    assert_eq!(at(rendered.get("Job"), "spec.backoffLimit"), 2);
}

#[test]
fn the_values_contain_no_secret() {
    let production = CHART.path().join("values/caelundas-production.yaml");
    let rendered = defaults().file(&production).manifests();
    for variable in at(rendered.get("Job"), "spec.template.spec.containers[0].env").as_array().unwrap() {
        assert!(
            variable.get("value").is_none() && at(variable, "valueFrom.secretKeyRef.name").is_string(),
            "{variable}"
        );
    }
}

#[test]
fn the_notes_warn_of_pods_that_can_not_share_a_claim() {
    let warned = |mode: &str| {
        defaults().value("job.parallelism", 2).value("persistence.accessMode", mode).notes().contains("WARNING")
    };
    assert!(warned("\"ReadWriteOnce\"") && !warned("\"ReadWriteMany\""));
    assert!(!defaults().notes().contains("WARNING"));
}
