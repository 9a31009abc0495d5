//! The last run in the real `cargo nextest run`.

use std::collections::BTreeMap;
use std::path::Path;

use crate::command::command;
use crate::scene::{Ended, Scene};

pub fn missing() -> Option<&'static str> {
    which::which("cargo-nextest").is_err().then_some("no cargo-nextest on PATH")
}

/// nextest's output and exit code.
struct Told {
    code: i32,
    text: String,
}

impl Told {
    fn shows(&self, verdict: &str, case: &str) -> bool {
        self.text.lines().any(|line| line.trim_start().starts_with(verdict) && line.ends_with(&format!(" {case}")))
    }
}

pub fn repeats() {
    let scene = Scene::new();
    let chart = scene.folder.path().join("chart");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../helm/caesium"), &chart);
    assert_eq!(run(&scene, &["chart::lint", "chart::template"]).code, 0);
    let told = nextest(&scene);
    assert_eq!(told.code, 0, "{}", told.text);
    assert!(told.shows("PASS", "chart::lint") && told.shows("PASS", "chart::template"), "{}", told.text);

    // The files have changed since the run.
    std::fs::write(chart.join("templates/new.yaml"), "{{ fail \"broken on purpose\" }}\n").unwrap();
    let told = nextest(&scene);
    assert_eq!(told.code, 100, "{}", told.text);
    assert!(told.shows("FAIL", "the_last_run_is_up_to_date") && !told.text.contains("PASS"), "{}", told.text);
    assert!(
        told.text.contains("chart/templates/new.yaml has changed since; run `cargo xtask e2e` again"),
        "{}",
        told.text
    );

    // Failed and blocked cases are failures.
    let ended = run(&scene, &["images::load"]);
    assert_eq!(ended.red(), ["chart::template"], "{}", ended.told());
    assert_eq!(ended.verdict("images::load"), Some("not_run"), "{}", ended.told());
    let told = nextest(&scene);
    assert_eq!(told.code, 100, "{}", told.text);
    assert!(told.shows("PASS", "cluster::create") && told.shows("PASS", "cluster::delete"), "{}", told.text);
    assert!(told.shows("FAIL", "chart::template") && told.text.contains("broken on purpose"), "{}", told.text);
    assert!(told.shows("FAIL", "images::load") && told.text.contains("not run: chart::template"), "{}", told.text);

    // A run with additional values proves nothing about the default, which nextest shows.
    assert_eq!(run(&scene, &["chart::lint", "--set", "a=b"]).code, 0);
    let told = nextest(&scene);
    assert!(told.code == 100 && told.text.contains("it used --set or --values"), "{}", told.text);
}

fn run(scene: &Scene, flags: &[&str]) -> Ended {
    let (suite, report) = (scene.folder.path().join("chart"), scene.report().display().to_string());
    let suite = suite.display().to_string();
    let common = ["--suite", &suite, "--cluster", "embedded", "--report-dir", &report];
    scene.run(&scene.command(&[&common, flags].concat()))
}

/// Runs `cargo nextest run` as in the workspace, but with the scene's last run. The variables that cargo sets for this
/// test's own package are removed: they would make build scripts run again, and everything that depends on them.
fn nextest(scene: &Scene) -> Told {
    let last = scene.folder.path().join(xtask::replay::path());
    assert!(last.exists(), "the run is kept");
    let words = ["nextest", "run", "--workspace", "--test", "last_report", "--color", "never", "--no-fail-fast"];
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let is_ours = |name: &str| !["CARGO_MANIFEST_", "CARGO_PKG_"].iter().any(|told| name.starts_with(told));
    let mut env: BTreeMap<_, _> = std::env::vars().filter(|(name, _)| is_ours(name)).collect();
    env.insert(xtask::replay::VARIABLE.to_owned(), last.display().to_string());
    let command = command(cargo, words).dir(env!("CARGO_MANIFEST_DIR")).full_env(env);
    let output = command.stderr_to_stdout().stdout_capture().unchecked().run().unwrap();
    Told { code: output.status.code().unwrap(), text: String::from_utf8_lossy(&output.stdout).into_owned() }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            std::fs::copy(&path, &to).unwrap();
        }
    }
}
