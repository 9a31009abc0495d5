//! CircleCI's configuration: it conforms to CircleCI's schema, calls only cargo, and pins everything it uses.

#![expect(clippy::unwrap_used, reason = "a test that can't continue fails")]

mod documented;
#[path = "../command.rs"]
mod starter;

use std::path::{Path, PathBuf};

use crate::starter::command as start;
use boon::{Compiler, Schemas};
use serde_json::{Value, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn config() -> Value {
    let text = std::fs::read_to_string(root().join(".circleci/config.yml")).unwrap();
    serde_saphyr::from_str(&text).unwrap()
}

/// Returns the violations of a schema in a configuration.
fn objections(schema: &str, config: &Value) -> Option<String> {
    let schema = std::fs::read_to_string(root().join("tests/circleci").join(schema)).unwrap();
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.add_resource("https://schema.test/ci.json", serde_json::from_str(&schema).unwrap()).unwrap();
    let schema = compiler.compile("https://schema.test/ci.json", &mut schemas).unwrap();
    schemas.validate(config, schema).err().map(|error| format!("{error:#}"))
}

/// Returns every value under this key, at any depth.
fn all<'a>(value: &'a Value, key: &str) -> Vec<&'a Value> {
    let (here, below): (Option<&Value>, Vec<&Value>) = match value {
        Value::Object(map) => (map.get(key), map.values().collect()),
        Value::Array(items) => (None, items.iter().collect()),
        _ => (None, vec![]),
    };
    here.into_iter().chain(below.into_iter().flat_map(|value| all(value, key))).collect()
}

/// Returns the shell commands of all steps.
fn commands(config: &Value) -> Vec<String> {
    let runs = all(config, "run").into_iter();
    runs.map(|run| run["command"].as_str().or(run.as_str()).unwrap_or_default().to_owned()).collect()
}

#[test]
fn the_configuration_conforms_to_the_published_schema() {
    assert_eq!(objections("schema.json", &config()), None);
}

#[test]
fn the_schema_rejects_invalid_configurations() {
    for (place, wrong) in [
        ("/version", json!("3")),
        ("/jobs/lint/steps", json!("checkout")),
        ("/jobs/e2e/steps/0", json!({"run": {"comand": "cargo xtask e2e"}})),
        ("/executors/machine/machine/image", json!(2404)),
    ] {
        let mut config = config();
        *config.pointer_mut(place).unwrap() = wrong;
        assert!(objections("schema.json", &config).is_some(), "{place} was accepted");
    }
}

#[test]
fn only_cargo_is_called() {
    let commands = commands(&config());
    assert!(commands.len() >= 4, "{commands:?}");
    for command in commands {
        let words: Vec<_> = command.split_whitespace().collect();
        let cargos = ["build", "check", "clippy", "deny", "doc", "fmt", "install", "machete", "run", "test", "xtask"];
        assert!(words[0] == "cargo" && cargos.contains(&words[1]), "{command}: move it into xtask");
        assert!(
            !command.contains(['\n', ';', '|', '&', '$', '`']),
            "{command}: use a single plain call and move the rest into xtask"
        );
    }
}

#[test]
fn images_and_orbs_are_pinned() {
    let config = config();
    for image in all(&config, "image").into_iter().filter_map(Value::as_str) {
        let (_, tag) = image.split_once(':').unwrap_or((image, ""));
        let of_pipeline = image.contains("<<") || image == "image/caesium.tar";
        let version = tag.split('-').next().unwrap_or_default();
        assert!(of_pipeline || is_full_version(version), "image {image}: use a full version");
    }
    for (name, orb) in config["orbs"].as_object().unwrap() {
        let (_, version) = orb.as_str().unwrap().split_once('@').unwrap();
        assert!(is_full_version(version), "orb {name} {orb}: use a full version");
    }
    for version in all(&config["commands"], "version") {
        assert!(is_full_version(version.as_str().unwrap()), "version {version}: use a full version");
    }
}

/// Returns whether a version has three numbers, unlike `current`, `stable` or `1`.
fn is_full_version(text: &str) -> bool {
    let parts: Vec<_> = text.split('.').collect();
    parts.len() == 3 && parts.iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

#[test]
fn all_jobs_use_the_same_rust() {
    let config = config();
    let of_container = config.pointer("/executors/light/docker/0/image").unwrap().as_str().unwrap();
    let of_machine = &config["commands"]["install_rust"]["steps"][0]["rust/install"]["version"];
    assert_eq!(of_container, format!("cimg/rust:{}", of_machine.as_str().unwrap()));
}

#[test]
fn the_lowest_rust_is_the_one_in_the_manifest() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let lowest = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap().trim_matches('"');
    let image = config().pointer("/jobs/lowest-rust/docker/0/image").unwrap().as_str().unwrap().to_owned();
    assert_eq!(image, format!("cimg/rust:{lowest}.0"));
}

#[test]
fn the_image_is_built_before_it_is_tested() {
    let config = config();
    let archive = config.pointer("/jobs/e2e/parameters/image/default").unwrap().as_str().unwrap();
    let built = commands(&config["jobs"]["build-image"]);
    assert!(built.iter().any(|command| command.ends_with(archive)), "{built:?} does not create {archive}");
    assert_eq!(all(&config["jobs"]["build-image"], "persist_to_workspace")[0]["paths"], json!([archive]));
    assert!(!all(&config["jobs"]["e2e"], "attach_workspace").is_empty());
    let e2e = &all(&config["workflows"]["branches"], "e2e")[0]["requires"];
    assert!(e2e.as_array().unwrap().contains(&json!("build-image")), "{e2e}");
}

#[test]
fn results_are_stored() {
    let config = config();
    let e2e = commands(&config["jobs"]["e2e"]).remove(0);
    let words: Vec<_> = e2e.split_whitespace().collect();
    let flag = |name: &str| words[words.iter().position(|word| *word == name).unwrap() + 1];
    let stored = |step: &str| all(&config["jobs"]["e2e"], step)[0]["path"].as_str().unwrap();
    assert!(Path::new(flag("--junit")).starts_with(stored("store_test_results")), "{e2e}");
    assert_eq!(flag("--report-dir"), stored("store_artifacts"), "{e2e}");
}

#[test]
fn the_harness_accepts_the_configured_flags() {
    for command in commands(&config()) {
        let words: Vec<_> = command.split_whitespace().collect();
        let (subcommand, words) = match words[..] {
            ["cargo", "xtask", subcommand, ..] => (subcommand, &words[..]),
            ["cargo", "run", "--release", "--locked", "--bin", "chartproof", "--", subcommand, ..] => {
                (subcommand, &words[8..])
            }
            _ => continue,
        };
        let help = start(env!("CARGO_BIN_EXE_chartproof"), [subcommand, "--help"]).read().unwrap();
        for flag in words.iter().filter(|word| word.starts_with("--")) {
            assert!(help.contains(flag), "{command}: `cargo xtask {subcommand}` has no {flag}");
        }
    }
}
