//! The fields that `chart::upgradable` knows to be unchangeable, against the answers of an API server: each example of
//! `rows.yaml` is created, and then changed.

#![expect(clippy::unwrap_used, reason = "a test that can't continue fails")]

#[path = "../../xtask/embedded/node/tests/support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::path::Path;

use kubernetes::immutable::{self, ROWS, Row};
use serde::Deserialize;
use serde_json::Value;
use support::Api;

/// An object, and changes of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Example {
    /// The path of its kind.
    path: String,
    /// The manifest.
    object: Value,
    /// For each field of a row, merge patches of the manifest that are refused.
    refused: BTreeMap<String, Vec<Value>>,
    /// Merge patches that are accepted.
    #[serde(default)]
    accepted: Vec<Value>,
    /// Whether the embedded cluster does not serve this kind, or refuses a field of the manifest.
    #[serde(default)]
    unsupported: bool,
}

impl Example {
    fn is_of(&self, row: &Row) -> bool {
        let version = self.object["apiVersion"].as_str().unwrap();
        let group = version.split_once('/').map_or("", |(group, _)| group);
        group == row.group && self.object["kind"] == row.kind && self.refused.contains_key(row.field)
    }

    fn title(&self) -> String {
        format!("{} {}", self.object["kind"], self.object["metadata"]["name"])
    }
}

fn examples() -> Vec<Example> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/immutable/rows.yaml");
    serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Returns a manifest with a merge patch applied (RFC 7386).
fn merged(object: &Value, patch: &Value) -> Value {
    let Value::Object(changes) = patch else { return patch.clone() };
    let mut merged = object.as_object().cloned().unwrap_or_default();
    for (key, change) in changes {
        match change {
            Value::Null => drop(merged.remove(key)),
            change => drop(merged.insert(key.clone(), self::merged(&object[key], change))),
        }
    }
    merged.into()
}

/// Applies a manifest as helm 4 does.
async fn apply(api: &Api, example: &Example, manifest: &Value, dry_run: bool) -> (u16, Value) {
    let name = manifest["metadata"]["name"].as_str().unwrap();
    let dry_run = if dry_run { "&dryRun=All" } else { "" };
    let path = format!("{}/{name}?fieldManager=helm&force=true{dry_run}", example.path);
    api.patch(&path, "apply", manifest).await
}

/// Whether an answer is about a field that the embedded cluster refuses anyway.
fn is_unsupported(answer: &Value) -> bool {
    let causes = answer["details"]["causes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_about_support = |cause: &Value| cause["message"] == "Forbidden: not supported by the embedded cluster";
    !causes.is_empty() && causes.iter().all(is_about_support)
}

#[test]
fn each_row_has_an_example_and_each_example_a_row() {
    let examples = examples();
    for row in ROWS {
        let found =
            examples.iter().filter(|example| example.is_of(row)).flat_map(|example| &example.refused[row.field]);
        assert!(found.count() > 0, "{}.{} has no example in tests/immutable/rows.yaml", row.kind, row.field);
    }
    for example in &examples {
        for field in example.refused.keys() {
            let has_row = ROWS.iter().any(|row| row.field == field && example.is_of(row));
            assert!(has_row, "{}: {field} is no row", example.title());
        }
    }
}

#[tokio::test]
async fn the_api_server_refuses_what_the_table_says_and_accepts_the_rest() {
    let api = Api::start();
    let mut wrong = Vec::new();
    for example in examples() {
        let (code, answer) = apply(&api, &example, &example.object, false).await;
        if example.unsupported {
            let is_refused = code == 404 || is_unsupported(&answer);
            assert!(is_refused, "{}: it is supported now: remove `unsupported`", example.title());
            continue;
        }
        assert!(code == 200 || code == 201, "{}: {answer}", example.title());
        for patch in example.refused.values().flatten() {
            let (code, answer) = apply(&api, &example, &merged(&example.object, patch), true).await;
            if code != 422 || is_unsupported(&answer) {
                wrong.push(format!("{}: {patch}: not refused, but {code}: {}", example.title(), answer["message"]));
            }
        }
        for patch in &example.accepted {
            let (code, answer) = apply(&api, &example, &merged(&example.object, patch), true).await;
            if code != 200 {
                wrong.push(format!("{}: {patch}: refused with {code}: {}", example.title(), answer["message"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_upgrade_with_these_changes_is_judged_like_the_api_server_does() {
    let mut wrong = Vec::new();
    for example in examples() {
        let found = |patch: &Value| {
            immutable::upgrade(std::slice::from_ref(&example.object), &[merged(&example.object, patch)]).refused
        };
        for (field, patches) in &example.refused {
            let is_named = |patch: &&Value| found(patch).iter().any(|change| change.field.starts_with(field.as_str()));
            wrong.extend(patches.iter().filter(|patch| !is_named(patch)).map(|patch| {
                format!("{}: {patch} is not found to be refused at {field}: {:?}", example.title(), found(patch))
            }));
        }
        wrong.extend(
            example
                .accepted
                .iter()
                .filter(|patch| !found(patch).is_empty())
                .map(|patch| format!("{}: {patch} is found to be refused: {:?}", example.title(), found(patch))),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
