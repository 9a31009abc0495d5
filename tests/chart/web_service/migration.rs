//! Migrations: when the application starts, or in a Job before it.

use super::{CHART, defaults};
use crate::manifests::at;

#[test]
fn an_application_that_migrates_itself_has_no_job() {
    let rendered = defaults().file(&CHART.ci("r2-values.yaml")).manifests();
    assert!(rendered.find("Job").is_none(), "{:?}", rendered.ids());
}

#[test]
fn the_job_runs_before_every_change_and_is_kept_if_it_failed() {
    let rendered = defaults().value("migration.enabled", true).manifests();
    let annotations = &rendered.get("Job")["metadata"]["annotations"];
    assert_eq!(annotations["helm.sh/hook"], "pre-install,pre-upgrade");
    assert_eq!(annotations["helm.sh/hook-delete-policy"], "before-hook-creation,hook-succeeded");
}

#[test]
fn the_job_has_the_applications_image_and_environment() {
    let rendered = defaults().file(&CHART.ci("full-values.yaml")).manifests();
    for place in ["image", "env", "securityContext", "resources"] {
        let of = |kind: &str| at(rendered.get(kind), &format!("spec.template.spec.containers[0].{place}")).clone();
        assert_eq!(of("Job"), of("Deployment"), "{place}");
    }
}

#[test]
fn the_service_selects_neither_the_job_nor_the_test() {
    let rendered = defaults().file(&CHART.ci("full-values.yaml")).manifests();
    let selector = at(rendered.get("Service"), "spec.selector").as_object().unwrap();
    let selected = |labels: &serde_json::Value| selector.iter().all(|(key, value)| &labels[key] == value);
    assert!(selected(at(rendered.get("Deployment"), "spec.template.metadata.labels")));
    assert!(!selected(at(rendered.get("Job"), "spec.template.metadata.labels")));
    assert!(!selected(at(rendered.get("Pod"), "metadata.labels")));
}
