//! Tests of the inputs of a saved run.

use std::fs;
use std::os::unix::fs::symlink;

use super::*;
use suite::load;

/// Returns a folder with a chart that has a linked dependency, a hidden file, and values in another folder.
fn scene() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let leaky = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/e2e/leaky");
    for folder in ["chart/templates", "chart/charts", "other", "dependency", "another"] {
        fs::create_dir_all(dir.path().join(folder)).unwrap();
    }
    for file in ["Chart.yaml", "values.yaml", "templates/all.yaml"] {
        fs::copy(leaky.join(file), dir.path().join("chart").join(file)).unwrap();
    }
    let suite = fs::read_to_string(leaky.join("e2e.toml")).unwrap();
    let suite = suite.replace("replicas = 1", "replicas = 1\nvalues = [\"../other/own.yaml\"]");
    for (file, text) in [
        ("chart/e2e.toml", suite.as_str()),
        ("chart/.helmignore", "*.md\n"),
        ("other/own.yaml", "apiToken: a\n"),
        ("dependency/values.yaml", "a: 1\n"),
        ("another/values.yaml", "a: 2\n"),
    ] {
        fs::write(dir.path().join(file), text).unwrap();
    }
    symlink("../../dependency", dir.path().join("chart/charts/dependency")).unwrap();
    dir
}

fn inputs(dir: &Path) -> Inputs {
    let suite = load::read(&dir.join("chart"), &crate::cases::kinds()).unwrap();
    Inputs::of([&suite], &Charts::default(), &Settings::default(), &[]).unwrap()
}

#[test]
fn every_input_file_counts() {
    let dir = scene();
    assert_eq!(inputs(dir.path()).changed(), None);
    for file in ["other/own.yaml", "dependency/values.yaml", "chart/.helmignore", "chart/templates/all.yaml"] {
        let (before, path) = (inputs(dir.path()), dir.path().join(file));
        fs::write(&path, fs::read_to_string(&path).unwrap() + "# more\n").unwrap();
        let why = before.changed().unwrap_or_default();
        let name = path.file_name().unwrap().to_string_lossy();
        assert!(why.contains(&*name) && why.ends_with(" has changed since"), "{file}: {why:?}");
    }
}

#[test]
fn the_harness_the_embedded_node_and_the_stand_in_count() {
    let dir = scene();
    let files = inputs(dir.path()).files;
    for file in ["xtask/src/main.rs", "xtask/embedded/node/src/main.rs", "tests/standin/Cargo.toml", "Cargo.lock"] {
        assert!(files.keys().any(|path| path.ends_with(file)), "{file}");
    }
}

#[test]
fn a_changed_link_counts_and_a_link_to_a_parent_is_no_endless_loop() {
    let dir = scene();
    let (before, link) = (inputs(dir.path()), dir.path().join("chart/charts/dependency"));
    fs::remove_file(&link).unwrap();
    symlink("../../another", &link).unwrap();
    assert!(before.changed().unwrap().contains("charts/dependency/values.yaml has changed"));
    fs::remove_file(&link).unwrap();
    symlink("..", &link).unwrap();
    assert!(before.changed().unwrap().contains("folders are nested too deeply"));
}
