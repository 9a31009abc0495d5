//! Charts in every form in which people have them, read by `cargo xtask lint` and `cargo xtask template`.

#![expect(clippy::unwrap_used, reason = "a test that can't continue fails")]

mod init;
mod scene;
mod server;

use scene::{Scene, write_chart};

/// A chart with a dependency that is not built, which has one itself.
fn with_dependencies(scene: &Scene) {
    write_chart(&scene.path("charts/web"), "web", "common", "file://../libs/common");
    write_chart(&scene.path("charts/libs/common"), "common", "base", "file://../base");
    write_chart(&scene.path("charts/libs/base"), "base", "", "");
}

#[tokio::test]
async fn missing_dependencies_are_built_in_a_copy() {
    let scene = Scene::new();
    with_dependencies(&scene);
    let before = scene.files("charts");
    let linted = scene.xtask(&["lint", "charts/web"]).await;
    assert!(linted.success(), "{}{}", linted.stdout, linted.stderr);
    assert!(linted.stdout.starts_with("ok     charts/web with values.yaml"), "{}", linted.stdout);
    scene.write_suite("charts/web", "chart = \".\"");
    let rendered = scene.xtask(&["template", "--suite", "charts/web"]).await;
    assert!(rendered.success(), "{}", rendered.stderr);
    for name in ["web", "common", "base"] {
        assert!(rendered.stdout.contains(&format!("name: made-by-{name}")), "{}", rendered.stdout);
    }
    std::fs::remove_file(scene.path("charts/web/e2e.toml")).unwrap();
    assert_eq!(scene.files("charts"), before, "the user's files stay as they were");
}

#[tokio::test]
async fn a_dependency_that_is_nowhere_is_reported_with_its_line() {
    let scene = Scene::new();
    write_chart(&scene.path("web"), "web", "common", "file://../common");
    scene.write_suite("web", "chart = \".\"");
    let refused = scene.xtask(&["template", "--suite", "web"]).await;
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("error: web/e2e.toml:2: copying "), "{}", refused.stderr);
    assert!(refused.stderr.contains("common: No such file or directory"), "{}", refused.stderr);
}

#[tokio::test]
async fn a_packaged_chart_is_unpacked() {
    let scene = Scene::new();
    write_chart(&scene.path("web"), "web", "", "");
    scene.run("helm", &["package", "web"]).await;
    scene.write_suite("suite", "chart = \"../web-1.0.0.tgz\"");
    let rendered = scene.xtask(&["template", "--suite", "suite", "--topology", "all"]).await;
    assert!(rendered.stdout.contains("of: ci"), "values are relative to the chart: {}", rendered.stderr);
    scene.write_suite("suite", "chart = \"../other-1.0.0.tgz\"");
    let refused = scene.xtask(&["template", "--suite", "suite"]).await;
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("suite/e2e.toml:2: suite/../other-1.0.0.tgz is not a file"), "{}", refused.stderr);
}

#[tokio::test]
async fn a_values_file_that_a_fetched_chart_lacks_is_reported_with_those_that_it_has() {
    let scene = Scene::new();
    write_chart(&scene.path("web"), "web", "", "");
    scene.run("helm", &["package", "web"]).await;
    scene.write_suite("suite", "chart = \"../web-1.0.0.tgz\"");
    let suite = std::fs::read_to_string(scene.path("suite/e2e.toml")).unwrap();
    std::fs::write(scene.path("suite/e2e.toml"), suite.replace("ci/values.yaml", "ci/none.yaml")).unwrap();
    let refused = scene.xtask(&["template", "--suite", "suite"]).await;
    assert_eq!(refused.code, 2);
    let message =
        "suite/e2e.toml:2: ci/none.yaml is not a file of the chart suite/../web-1.0.0.tgz; it has ci/values.yaml";
    assert!(refused.stderr.contains(message), "{}", refused.stderr);
}

#[tokio::test]
async fn a_chart_of_a_git_revision_is_as_it_was_then() {
    let scene = Scene::new();
    with_dependencies(&scene);
    std::fs::create_dir(scene.path("charts/web/charts")).unwrap();
    std::os::unix::fs::symlink("../../beside", scene.path("charts/web/charts/beside")).unwrap();
    write_chart(&scene.path("charts/beside"), "beside", "", "");
    scene.commit("one").await;
    std::fs::write(scene.path("charts/web/values.yaml"), "of: now\n").unwrap();
    std::fs::remove_dir_all(scene.path("charts/libs")).unwrap();
    std::fs::remove_dir_all(scene.path("charts/beside")).unwrap();
    scene.commit("two").await;
    scene.write_suite("charts/web", "chart = \"git:HEAD~1\"");
    let rendered = scene.xtask(&["template", "--suite", "charts/web"]).await;
    assert!(rendered.success(), "{}", rendered.stderr);
    for text in ["name: made-by-web", "name: made-by-base", "name: made-by-beside", "of: defaults"] {
        assert!(rendered.stdout.contains(text), "{text}: {}", rendered.stdout);
    }
    let linted = scene.xtask(&["lint", "git:HEAD~1:charts/libs/base"]).await;
    assert!(linted.success(), "{}{}", linted.stdout, linted.stderr);
    for (revision, message) in [
        ("git:v9", "chart git:v9: the repository has no such revision"),
        ("git:HEAD:charts/libs/base", "libs/base did not exist at commit "),
        ("git:HEAD:charts", "charts was no chart at revision HEAD"),
    ] {
        let refused = scene.xtask(&["lint", revision]).await;
        assert_eq!(refused.code, 2);
        assert!(refused.stderr.contains(message), "{}", refused.stderr);
    }
}

#[tokio::test]
async fn charts_of_repositories_are_pulled() {
    let scene = Scene::new();
    write_chart(&scene.path("web"), "web", "", "");
    scene.run("helm", &["package", "web", "--destination", "repository"]).await;
    let url = server::serve(scene.path("repository"));
    scene.run("helm", &["repo", "index", "repository", "--url", &url]).await;
    // As a dependency: helm's own configuration does not know the repository, and stays as it is.
    write_chart(&scene.path("shop"), "shop", "web", &url);
    let before = scene.files("shop");
    let linted = scene.xtask(&["lint", "shop"]).await;
    assert!(linted.success(), "{}{}", linted.stdout, linted.stderr);
    assert_eq!(scene.files("shop"), before);
    assert!(!scene.path("helm/config/repositories.yaml").exists());
    scene.run("helm", &["repo", "add", "ours", &url]).await;
    let linted = scene.xtask(&["lint", "ours/web", "--version", "1.0.0"]).await;
    assert!(linted.stdout.starts_with("ok     ours/web 1.0.0 with values.yaml"), "{}", linted.stderr);
    scene.write_suite("suite", "chart = \"ours/web\"\nversion = \"1.0.0\"");
    let rendered = scene.xtask(&["template", "--suite", "suite", "--topology", "all"]).await;
    assert!(rendered.stdout.contains("of: ci"), "{}", rendered.stderr);
    for chart in ["chart = \"ours/web\"\nversion = \"9.0.0\"", "chart = \"oci://127.0.0.1:1/web\"\nversion = \"1.0.0\""]
    {
        scene.write_suite("suite", chart);
        let refused = scene.xtask(&["template", "--suite", "suite"]).await;
        assert_eq!(refused.code, 2, "{}", refused.stderr);
        let message = "could not be pulled; check name, version and `helm repo list`: helm pull: ";
        let helm_says = refused.stderr.contains("Error: ");
        assert!(refused.stderr.contains("suite/e2e.toml:2: ") && helm_says, "{}", refused.stderr);
        assert!(refused.stderr.replace(&scene.helm(), "helm").contains(message), "{}", refused.stderr);
    }
}

#[tokio::test]
async fn charts_of_registries_are_pulled() {
    let scene = Scene::new();
    write_chart(&scene.path("web"), "web", "", "");
    scene.run("helm", &["package", "web"]).await;
    let registry = server::serve_registry(&scene.path("web-1.0.0.tgz"), &scene.path("registry"));
    let chart = format!("oci://{}/charts/web", registry.address);
    scene.write_suite("suite", &format!("chart = {chart:?}\nversion = \"1.0.0\""));
    let args = ["template", "--suite", "suite", "--topology", "all"];
    let rendered = scene.xtask_trusting(&registry.ca, &args).await;
    assert!(rendered.stdout.contains("name: made-by-web") && rendered.stdout.contains("of: ci"), "{}", rendered.stderr);
    let linted = scene.xtask_trusting(&registry.ca, &["lint", &chart, "--version", "1.0.0"]).await;
    assert!(linted.stdout.starts_with(&format!("ok     {chart} 1.0.0 with values.yaml")), "{}", linted.stderr);
    let untrusted = scene.xtask(&args).await;
    assert_eq!(untrusted.code, 2);
    assert!(untrusted.stderr.contains("certificate signed by unknown authority"), "{}", untrusted.stderr);
    let other = scene.xtask_trusting(&registry.ca, &["lint", &chart, "--version", "2.0.0"]).await;
    assert_eq!(other.code, 2);
    assert!(other.stderr.contains("could not be pulled"), "{}", other.stderr);
}
