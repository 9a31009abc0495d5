//! `cargo xtask init` for charts in every form: the written suite renders the chart.

use crate::scene::{Scene, write_chart};
use crate::server;

/// A chart with a Deployment, whose values set its image and its replicas.
fn with_deployment(scene: &Scene, folder: &str) {
    write_chart(&scene.path(folder), "web", "", "");
    std::fs::write(scene.path(folder).join("values.yaml"), VALUES).unwrap();
    std::fs::write(scene.path(folder).join("templates/web.yaml"), DEPLOYMENT).unwrap();
}

const VALUES: &str = "of: defaults\nreplicaCount: 1\nimage: {repository: example/web, tag: '1'}\n";
const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: {{ .Values.replicaCount }}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - {name: web, image: '{{ .Values.image.repository }}:{{ .Values.image.tag }}'}
";

/// Runs `init` and renders the chart with the suite that it wrote to this folder.
async fn written(scene: &Scene, args: &[&str], folder: &str) -> String {
    let init = scene.xtask(&[&["init"], args].concat()).await;
    assert!(init.success(), "{}{}", init.stdout, init.stderr);
    let suite = std::fs::read_to_string(scene.path(folder).join("e2e.toml")).unwrap();
    assert!(init.stdout.contains(&format!("cargo xtask e2e --suite {folder}`")), "{}", init.stdout);
    let rendered = scene.xtask(&["template", "--suite", folder, "--topology", "r3"]).await;
    assert!(rendered.success(), "{}\n{suite}", rendered.stderr);
    assert!(rendered.stdout.contains("replicas: 3"), "{}", rendered.stdout);
    suite
}

#[tokio::test]
async fn a_packaged_chart_gets_a_suite_in_a_folder_with_its_name() {
    let scene = Scene::new();
    with_deployment(&scene, "sources/web");
    scene.run("helm", &["package", "sources/web"]).await;
    let suite = written(&scene, &["web-1.0.0.tgz"], "web").await;
    assert!(suite.contains("name = \"web\"\nchart = \"../web-1.0.0.tgz\"\n"), "{suite}");
    let again = scene.xtask(&["init", "web-1.0.0.tgz"]).await;
    assert_eq!(again.code, 2);
    assert!(again.stderr.contains("web/e2e.toml already exists; print a new one with --stdout"), "{}", again.stderr);
}

#[tokio::test]
async fn a_chart_of_a_repository_gets_a_suite_with_its_version() {
    let scene = Scene::new();
    with_deployment(&scene, "sources/web");
    scene.run("helm", &["package", "sources/web", "--destination", "repository"]).await;
    let url = server::serve(scene.path("repository"));
    scene.run("helm", &["repo", "index", "repository", "--url", &url]).await;
    scene.run("helm", &["repo", "add", "ours", &url]).await;
    let suite = written(&scene, &["ours/web", "--version", "1.0.0"], "web").await;
    assert!(suite.contains("chart = \"ours/web\"\nversion = \"1.0.0\"\n"), "{suite}");
    let without = scene.xtask(&["init", "ours/web"]).await;
    assert_eq!(without.code, 2);
    assert!(without.stderr.contains("if it is `repo/name`, add --version"), "{}", without.stderr);
}

#[tokio::test]
async fn a_chart_of_a_git_revision_gets_a_suite_beside_what_it_is_today() {
    let scene = Scene::new();
    with_deployment(&scene, "charts/web");
    scene.commit("one").await;
    std::fs::write(scene.path("charts/web/templates/web.yaml"), "").unwrap();
    scene.commit("two").await;
    let suite = written(&scene, &["git:HEAD~1:charts/web"], "charts/web").await;
    assert!(suite.contains("chart = \"git:HEAD~1\"\n"), "{suite}");
}

#[tokio::test]
async fn a_chart_whose_dependencies_are_not_built_gets_a_suite() {
    let scene = Scene::new();
    with_deployment(&scene, "charts/web");
    write_chart(&scene.path("charts/shop"), "shop", "web", "file://../web");
    let before = scene.files("charts/shop");
    let init = scene.xtask(&["init", "charts/shop", "--stdout"]).await;
    assert!(init.stdout.contains("deployment = \"web\""), "{}{}", init.stdout, init.stderr);
    assert!(init.stdout.contains("value = \"web.replicaCount\""), "{}", init.stdout);
    assert_eq!(scene.files("charts/shop"), before, "the user's files stay as they were");
}
