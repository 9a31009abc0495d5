//! Every values file of every chart: it passes helm lint, renders the same with every helm, and the objects are valid.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use crate::helm::{Chart, HELMS, run};
use crate::manifests::{Manifests, at, check_fields};
use crate::pod_security;

/// The charts of this repository.
pub const CHARTS: [Chart; 8] = [
    crate::caesium::CHART,
    crate::everything::CUSTOMER,
    crate::everything::database::CHART,
    crate::everything::ORDER,
    crate::everything::SERVER,
    crate::kubernetes_job::CHART,
    crate::toskamesh::CHART,
    crate::web_service::CHART,
];

/// Every rendering, with the names of chart and values file; rendered once for all tests.
static RENDERINGS: LazyLock<Vec<(String, Manifests)>> = LazyLock::new(|| {
    let of_chart = |chart: Chart| {
        let of_files =
            chart.variants().into_iter().map(move |file| (file.display().to_string(), chart.render().file(&file)));
        of_files.chain([(format!("{} with its defaults", chart.0), chart.render())])
    };
    CHARTS.into_iter().flat_map(of_chart).map(|(name, render)| (name, render.manifests())).collect()
});

/// Returns the charts below this folder, without those of dependencies.
fn charts_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        if entry.join("Chart.yaml").exists() {
            found.push(entry);
        } else {
            charts_below(&entry, found);
        }
    }
}

#[test]
fn every_chart_is_tested() {
    let mut found = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../helm");
    charts_below(&root, &mut found);
    found.sort();
    assert_eq!(found, CHARTS.map(Chart::path));
}

#[test]
fn lints_strictly() {
    for (helm, chart) in HELMS.iter().flat_map(|helm| CHARTS.map(|chart| (helm, chart))) {
        for file in chart.variants() {
            let (folder, values) = (chart.path().display().to_string(), file.display().to_string());
            let said = run(helm, &["lint", "--strict", &folder, "--values", &values]);
            assert!(said.ok, "{} lint --values {values}: {}{}", helm.display(), said.stdout, said.stderr);
        }
    }
}

#[test]
fn every_helm_version_renders_the_same() {
    for (chart, file) in
        CHARTS.into_iter().flat_map(|chart| chart.variants().into_iter().map(move |file| (chart, file)))
    {
        let render = chart.render().file(&file);
        let texts: Vec<_> = HELMS.iter().map(|helm| render.text(helm).unwrap()).collect();
        for pair in texts.windows(2) {
            assert_eq!(Manifests::parse(&pair[0]).0, Manifests::parse(&pair[1]).0, "{}", file.display());
        }
    }
}

#[test]
fn objects_have_only_fields_that_kubernetes_knows() {
    RENDERINGS.iter().for_each(|(_, rendered)| rendered.0.iter().for_each(check_fields));
}

#[test]
fn pods_meet_the_restricted_pod_security_standard() {
    for (variant, rendered) in RENDERINGS.iter() {
        for (owner, pod) in rendered.pods() {
            assert_eq!(pod_security::violations(&pod), Vec::<String>::new(), "{variant}: {owner}");
        }
    }
}

#[test]
fn pods_have_no_access_to_the_kubernetes_api() {
    for (variant, rendered) in RENDERINGS.iter() {
        for (owner, pod) in rendered.pods() {
            assert_eq!(pod.automount_service_account_token, Some(false), "{variant}: {owner}");
        }
    }
}

#[test]
fn objects_have_the_recommended_labels() {
    let kubernetes = ["name", "instance", "version", "managed-by"].map(|label| format!("app.kubernetes.io/{label}"));
    for (variant, rendered) in RENDERINGS.iter() {
        for object in rendered.0.iter().filter(|object| object["kind"] != "Pod") {
            let labels = at(object, "metadata.labels");
            for label in kubernetes.iter().map(String::as_str).chain(["helm.sh/chart"]) {
                assert!(labels.get(label).is_some(), "{variant}: {} lacks {label}", object["kind"]);
            }
            assert_eq!(object["metadata"]["namespace"], "default", "{variant}: {}", object["kind"]);
        }
    }
}
