//! docs/embedded.md against the cluster: kinds, refused fields, fields without effect.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod support;

use embedded::kinds::KINDS;
use serde_json::{Value, json};
use support::Api;

const DOCS: &str = include_str!("../../../docs/embedded.md");

/// The cells of the table under a heading.
fn table(heading: &str) -> Vec<Vec<&'static str>> {
    let (_, section) = DOCS.split_once(&format!("\n## {heading}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| row.trim_matches('|').split(" | ").map(|cell| cell.trim().trim_matches('`')).collect()).collect()
}

/// A pod whose spec has a value at a path like `containers[0].ports[0].hostPort`, and what else is required there.
fn pod(path: &str, value: &str) -> Value {
    let mut spec = json!({"containers": [{"name": "main", "image": "busybox:1"}]});
    let mut place = &mut spec;
    let pointer = path.replace('[', ".").replace(']', "");
    for step in pointer.split('.') {
        place = match step.parse::<usize>() {
            Ok(index) => at(place, index),
            Err(_) => &mut place[step],
        };
    }
    *place = serde_json::from_str(value).unwrap_or_else(|error| panic!("{path}: {value}: {error}"));
    complete(&mut spec);
    json!({"metadata": {"generateName": "p-"}, "spec": spec})
}

fn at(list: &mut Value, index: usize) -> &mut Value {
    if list.is_null() {
        *list = json!([{}]);
    }
    &mut list[index]
}

/// Gives the parts on the way to a field what a server that supports it requires of them.
fn complete(spec: &mut Value) {
    let require = |place: Option<&mut Value>, fields: Value| {
        if let Some(place) = place {
            for (name, value) in fields.as_object().unwrap() {
                place.as_object_mut().unwrap().entry(name).or_insert(value.clone());
            }
        }
    };
    require(spec.pointer_mut("/volumes/0"), json!({"name": "v"}));
    require(spec.pointer_mut("/initContainers/0"), json!({"name": "first", "image": "busybox:1"}));
    for list in ["containers", "initContainers"] {
        require(spec.pointer_mut(&format!("/{list}/0/ports/0")), json!({"containerPort": 80}));
        require(spec.pointer_mut(&format!("/{list}/0/env/0")), json!({"name": "A"}));
        for profile in ["seccompProfile", "appArmorProfile"] {
            require(spec.pointer_mut(&format!("/{list}/0/securityContext/{profile}")), json!({"type": "Localhost"}));
        }
    }
    for profile in ["seccompProfile", "appArmorProfile"] {
        require(spec.pointer_mut(&format!("/securityContext/{profile}")), json!({"type": "Localhost"}));
    }
    if spec.pointer("/containers/0/volumeMounts/0").is_some() {
        spec["volumes"] = json!([{"name": "v", "emptyDir": {}}]);
        require(spec.pointer_mut("/containers/0/volumeMounts/0"), json!({"name": "v", "mountPath": "/v"}));
    }
}

/// What the server has against an object: fields with words.
async fn refusals(api: &Api, path: &str, object: &Value) -> Vec<(String, String)> {
    let (code, answer) = api.call("POST", path, Some(object)).await;
    let causes = answer["details"]["causes"].as_array().cloned().unwrap_or_default();
    assert!(code == 422 || code == 201, "{object}: {answer}");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    causes.iter().map(|cause| (text(&cause["field"]), text(&cause["message"]))).collect()
}

#[tokio::test]
async fn every_field_that_is_called_refused_is_refused_by_name_wherever_it_stands() {
    let api = Api::start();
    let rows = table("Refused");
    assert!(rows.len() >= 39, "{}", rows.len());
    for row in rows {
        let pod = pod(row[0], row[1]);
        let template = json!({"metadata": {"labels": {"app": "a"}}, "spec": pod["spec"]});
        let spec = json!({"selector": {"matchLabels": {"app": "a"}}, "serviceName": "a", "template": template});
        let set = json!({"metadata": {"generateName": "s-"}, "spec": spec});
        let objects = [
            ("/api/v1/namespaces/default/pods", "spec", pod),
            ("/apis/apps/v1/namespaces/default/statefulsets", "spec.template.spec", set),
        ];
        for (path, prefix, object) in objects {
            let refused = refusals(&api, path, &object).await;
            let words = "Forbidden: not supported by the embedded cluster";
            let expected = (format!("{prefix}.{}", row[0]), words.to_owned());
            assert!(refused.contains(&expected), "{path} {object}: {refused:?} lacks {expected:?}");
        }
    }
}

#[tokio::test]
async fn every_field_that_is_called_without_effect_is_accepted_and_reported() {
    let api = Api::start();
    let rows = table("Accepted without effect");
    assert!(rows.len() >= 8, "{}", rows.len());
    for row in rows {
        let created = api.create("/api/v1/namespaces/default/pods", &pod(row[0], row[1])).await;
        let name = created["metadata"]["name"].as_str().unwrap();
        let (_, report) = api.call("GET", "/chartproof/report", None).await;
        let listed: Vec<&str> = report["ignoredFields"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let expected = format!("spec.{}", row[0]);
        let found = listed.iter().any(|line| line.contains(name) && line.ends_with(&expected));
        assert!(found, "{name} {expected}: {listed:?}");
    }
}

#[test]
fn the_kinds_are_those_of_the_table_in_the_code() {
    let documented: Vec<String> = table("Kinds").iter().map(|row| row.join(" ")).collect();
    let served = KINDS.iter().map(|kind| {
        let sort = if kind.inert { "inert" } else { "served" };
        format!("{} {} {sort}", kind.kind, kind.api_version())
    });
    assert_eq!(documented, served.collect::<Vec<_>>());
}
