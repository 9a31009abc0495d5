//! Custom resources on an API server without a node: definitions, versions, schemas, subresources, discovery.

#![expect(clippy::unwrap_used, reason = "a test that can't continue fails")]

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::Api;

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const WIDGETS: &str = "/apis/example.com/v1/namespaces/default/widgets";
const OLD_WIDGETS: &str = "/apis/example.com/v1alpha1/namespaces/default/widgets";

/// Returns a definition with two versions, of which `v1` is stored.
fn definition() -> Value {
    let spec = json!({
        "type": "object",
        "required": ["size"],
        "properties": {
            "size": {"type": "integer", "minimum": 1, "maximum": 9},
            "color": {"type": "string", "enum": ["red", "blue"], "default": "red"},
            "port": {"x-kubernetes-int-or-string": true},
            "options": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "template": {
                "type": "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true,
            },
            "tags": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
            "parts": {
                "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                "items": {"type": "object", "required": ["name"], "properties": {
                    "name": {"type": "string"}, "count": {"type": "integer", "default": 1},
                }},
            },
        },
    });
    let status = json!({"type": "object", "properties": {
        "size": {"type": "integer"}, "selector": {"type": "string"}, "phase": {"type": "string"},
    }});
    let schema = json!({"openAPIV3Schema": {"type": "object", "properties": {"spec": spec, "status": status}}});
    let version = |name: &str, storage: bool| {
        json!({
            "name": name, "served": true, "storage": storage, "schema": schema,
            "subresources": {"status": {}, "scale": {
                "specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size",
                "labelSelectorPath": ".status.selector",
            }},
            "selectableFields": [{"jsonPath": ".spec.color"}],
            "additionalPrinterColumns": [
                {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
                {"name": "Phase", "type": "string", "jsonPath": ".status.phase", "priority": 1},
                {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
            ],
        })
    };
    let mut old = version("v1alpha1", false);
    old["deprecated"] = true.into();
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced", "versions": [old, version("v1", true)],
            "names": {"kind": "Widget", "plural": "widgets", "shortNames": ["wd"], "categories": ["all"]},
        },
    })
}

fn widget(name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": name}, "spec": spec})
}

/// Creates a definition, and waits until its kinds are served.
async fn establish(api: &Api, definition: &Value) {
    api.create(DEFINITIONS, definition).await;
    established(api, definition["metadata"]["name"].as_str().unwrap()).await;
}

async fn established(api: &Api, name: &str) {
    reads(api, &format!("{DEFINITIONS}/{name}"), "its condition Established", |found| {
        let conditions = found["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.iter().any(|one| one["type"] == "Established" && one["status"] == "True")
    })
    .await;
}

/// Waits for an object, by watching the store.
async fn reads(api: &Api, path: &str, what: &str, is_there: impl Fn(&Value) -> bool) {
    let mut latest = api.registry.store.latest();
    let seen = async {
        while !is_there(&api.call("GET", path, None).await.1) {
            latest.changed().await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(20), seen).await.unwrap_or_else(|_| panic!("{path}: no {what}"));
}

async fn api() -> Api {
    let api = Api::start();
    establish(&api, &definition()).await;
    api
}

#[tokio::test]
async fn a_definition_gets_its_names_its_conditions_and_its_place_in_discovery() {
    let api = api().await;
    let (_, found) = api.call("GET", &format!("{DEFINITIONS}/widgets.example.com"), None).await;
    let names = json!({
        "categories": ["all"], "kind": "Widget", "listKind": "WidgetList", "plural": "widgets", "shortNames": ["wd"],
        "singular": "widget",
    });
    assert_eq!(found["status"]["acceptedNames"], names);
    assert_eq!(found["status"]["storedVersions"], json!(["v1"]));
    let (_, group) = api.call("GET", "/apis/example.com", None).await;
    assert_eq!(group["preferredVersion"]["version"], "v1");
    let (_, resources) = api.call("GET", "/apis/example.com/v1alpha1", None).await;
    let listed: Vec<_> = resources["resources"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    assert_eq!(listed, ["widgets", "widgets/status", "widgets/scale"]);
    let aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    let answer = api.request("GET", "/apis").header("accept", aggregated).send().await.unwrap();
    let (_, groups) = support::document(answer).await;
    let group =
        groups["items"].as_array().unwrap().iter().find(|one| one["metadata"]["name"] == "example.com").unwrap();
    let resource = &group["versions"][0]["resources"][0];
    assert_eq!((&resource["shortNames"], &resource["categories"]), (&json!(["wd"]), &json!(["all"])));
    assert_eq!(resource["responseKind"], json!({"group": "example.com", "version": "v1", "kind": "Widget"}));
    let (_, openapi) = api.call("GET", "/openapi/v3/apis/example.com/v1", None).await;
    let schema = &openapi["components"]["schemas"]["com.example.v1.Widget"];
    assert_eq!(schema["properties"]["spec"]["properties"]["size"]["minimum"], 1);
    let (code, service) = api.call("GET", "/apis/apiregistration.k8s.io/v1/apiservices/v1.example.com", None).await;
    assert_eq!((code, &service["status"]["conditions"][0]["status"]), (200, &json!("True")));
}

#[tokio::test]
async fn a_custom_resource_is_stored_once_and_served_in_every_version() {
    let api = api().await;
    let sent = widget("a", &json!({"size": 3, "unknown": 1, "parts": [{"name": "x"}], "options": {"any": [1]}}));
    let created = api.create(WIDGETS, &sent).await;
    let spec = json!({"size": 3, "parts": [{"name": "x", "count": 1}], "options": {"any": [1]}, "color": "red"});
    assert_eq!(created["spec"], spec, "pruned and defaulted");
    assert_eq!((&created["metadata"]["generation"], &created["kind"]), (&json!(1), &json!("Widget")));
    let answer = api.request("GET", &format!("{OLD_WIDGETS}/a")).send().await.unwrap();
    let warning = answer.headers()["warning"].to_str().unwrap().to_owned();
    assert_eq!(warning, "299 - \"example.com/v1alpha1 Widget is deprecated; use example.com/v1 Widget\"");
    let (_, old) = support::document(answer).await;
    assert_eq!((&old["apiVersion"], &old["spec"]), (&json!("example.com/v1alpha1"), &spec));
    let (code, patched) = api.patch(&format!("{OLD_WIDGETS}/a"), "merge", &json!({"spec": {"color": "blue"}})).await;
    assert_eq!((code, &patched["apiVersion"]), (200, &json!("example.com/v1alpha1")));
    let (_, list) = api.call("GET", &format!("{WIDGETS}?fieldSelector=spec.color%3Dblue"), None).await;
    assert_eq!((&list["kind"], &list["items"][0]["apiVersion"]), (&json!("WidgetList"), &json!("example.com/v1")));
    assert_eq!(list["items"][0]["metadata"]["generation"], 2);
    let (_, none) = api.call("GET", &format!("{WIDGETS}?fieldSelector=spec.color%3Dred"), None).await;
    assert_eq!(none["items"], json!([]));
}

#[tokio::test]
async fn what_the_schema_forbids_is_refused_in_the_servers_words() {
    let api = api().await;
    let refused = |spec: Value| {
        let api = &api;
        async move {
            let (code, answer) = api.call("POST", WIDGETS, Some(&widget("a", &spec))).await;
            assert_eq!(code, 422, "{answer}");
            answer["message"].as_str().unwrap().to_owned()
        }
    };
    let of = |why: &str| format!("Widget.example.com \"a\" is invalid: {why}");
    assert_eq!(refused(json!({})).await, of("spec.size: Required value"));
    assert_eq!(
        refused(json!({"size": "big"})).await,
        of("spec.size: Invalid value: \"string\": spec.size in body must be of type integer: \"string\"")
    );
    let both = refused(json!({"size": 10, "color": "green"})).await;
    let wanted = "[spec.size: Invalid value: 10: spec.size in body should be less than or equal to 9, spec.color: \
                  Unsupported value: \"green\": supported values: \"red\", \"blue\"]";
    assert_eq!(both, of(wanted));
    let (code, strict) =
        api.call("POST", &format!("{WIDGETS}?fieldValidation=Strict"), Some(&widget("a", &json!({"sise": 1})))).await;
    let wanted =
        "Widget in version \"v1\" cannot be handled as a Widget: strict decoding error: unknown field \"spec.sise\"";
    assert_eq!((code, strict["message"].as_str().unwrap()), (400, wanted));
    let strategic = api.create(WIDGETS, &widget("b", &json!({"size": 1}))).await;
    assert_eq!(strategic["metadata"]["name"], "b");
    assert_eq!(api.patch(&format!("{WIDGETS}/b"), "strategic-merge", &json!({"spec": {"size": 2}})).await.0, 415);
    let misspelled = json!({"spec": {"sise": 2}});
    let (code, strict) = api.patch(&format!("{WIDGETS}/b?fieldValidation=Strict"), "merge", &misspelled).await;
    assert_eq!(code, 422, "{strict}");
    let message = strict["message"].as_str().unwrap();
    assert!(message.starts_with(" \"\" is invalid: patch: Invalid value: \"{"), "{message}");
    assert!(message.ends_with("strict decoding error: unknown field \"spec.sise\""), "{message}");
    assert_eq!(api.patch(&format!("{WIDGETS}/b"), "merge", &misspelled).await.0, 200, "a warning, not an error");
    let json_patch = json!([{"op": "replace", "path": "/spec/size", "value": 0}]);
    assert_eq!(api.patch(&format!("{WIDGETS}/b"), "json", &json_patch).await.0, 422);
}

#[tokio::test]
async fn apply_merges_lists_by_the_keys_of_the_schema() {
    let api = api().await;
    let apply = |who: &'static str, spec: Value| {
        let api = &api;
        async move { api.patch(&format!("{WIDGETS}/a?fieldManager={who}"), "apply", &widget("a", &spec)).await }
    };
    let first = json!({"size": 1, "tags": ["x"], "parts": [{"name": "one", "count": 5}]});
    assert_eq!(apply("one", first).await.0, 201);
    let (code, both) = apply("two", json!({"tags": ["y"], "parts": [{"name": "two"}]})).await;
    assert_eq!(code, 200, "{both}");
    assert_eq!(both["spec"]["tags"], json!(["y", "x"]));
    assert_eq!(both["spec"]["parts"], json!([{"name": "two", "count": 1}, {"name": "one", "count": 5}]));
    let (code, conflict) = apply("two", json!({"parts": [{"name": "one", "count": 6}]})).await;
    let wanted = "Apply failed with 1 conflict: conflict with \"one\": .spec.parts[name=\"one\"].count";
    assert_eq!((code, conflict["message"].as_str().unwrap()), (409, wanted));
    let (_, less) = apply("one", json!({"size": 1})).await;
    assert_eq!(less["spec"]["parts"], json!([{"name": "two", "count": 1}]), "what one applied is gone");
    let (_, wrong) = apply("one", json!({"size": "big"})).await;
    assert!(
        wrong["message"].as_str().unwrap().ends_with(".spec.size: expected numeric (int or float), got string"),
        "{wrong}"
    );
    let (code, unknown) = apply("one", json!({"size": 1, "nosuch": 1})).await;
    assert_eq!(code, 500);
    assert!(unknown["message"].as_str().unwrap().ends_with(".spec.nosuch: field not declared in schema"), "{unknown}");
}

#[tokio::test]
async fn status_and_scale_are_subresources() {
    let api = api().await;
    let mut sent = widget("a", &json!({"size": 3}));
    sent["status"] = json!({"phase": "Ready"});
    let created = api.create(WIDGETS, &sent).await;
    assert_eq!(created.get("status"), None);
    let mut written = created.clone();
    written["status"] = json!({"size": 2, "selector": "app=a", "phase": "Ready", "more": 1});
    written["spec"]["size"] = 9.into();
    let (code, answer) = api.call("PUT", &format!("{WIDGETS}/a/status"), Some(&written)).await;
    assert_eq!((code, &answer["spec"]["size"], &answer["metadata"]["generation"]), (200, &json!(3), &json!(1)));
    assert_eq!(answer["status"], json!({"size": 2, "selector": "app=a", "phase": "Ready"}));
    let (_, scale) = api.call("GET", &format!("{WIDGETS}/a/scale"), None).await;
    let wanted = (&json!({"replicas": 3}), &json!({"replicas": 2, "selector": "app=a"}));
    assert_eq!((&scale["spec"], &scale["status"]), wanted);
    let (code, scaled) = api.patch(&format!("{WIDGETS}/a/scale"), "merge", &json!({"spec": {"replicas": 5}})).await;
    assert_eq!((code, &scaled["spec"]["replicas"]), (200, &json!(5)));
    assert_eq!(api.patch(&format!("{WIDGETS}/a/scale"), "merge", &json!({"spec": {"replicas": 10}})).await.0, 422);
    let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
    let answer = api.request("GET", WIDGETS).header("accept", table).send().await.unwrap();
    let (_, table) = support::document(answer).await;
    let columns: Vec<_> =
        table["columnDefinitions"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    assert_eq!(columns, ["Name", "Size", "Phase", "Age"]);
    let cells = table["rows"][0]["cells"].as_array().unwrap();
    assert_eq!(cells[..3], ["a".into(), json!(5), "Ready".into()]);
    assert!(cells[3].as_str().unwrap().ends_with('s'), "{cells:?}");
}

#[tokio::test]
async fn instances_go_with_their_definition() {
    let api = api().await;
    let mut held = widget("held", &json!({"size": 1}));
    held["metadata"]["finalizers"] = json!(["example.com/held"]);
    api.create(WIDGETS, &held).await;
    api.create(WIDGETS, &widget("plain", &json!({"size": 1}))).await;
    let path = format!("{DEFINITIONS}/widgets.example.com");
    let (code, deleted) = api.call("DELETE", &path, None).await;
    assert_eq!(code, 200);
    assert_eq!(deleted["metadata"]["finalizers"], json!(["customresourcecleanup.apiextensions.k8s.io"]));
    reads(&api, WIDGETS, "single widget", |list| list["items"].as_array().is_some_and(|all| all.len() == 1)).await;
    let (code, refused) = api.call("POST", WIDGETS, Some(&widget("late", &json!({"size": 1})))).await;
    let wanted = "create not allowed while custom resource definition is terminating";
    assert_eq!((code, refused["message"].as_str().unwrap()), (405, wanted));
    api.patch(&format!("{WIDGETS}/held"), "merge", &json!({"metadata": {"finalizers": null}})).await;
    reads(&api, &path, "end of the definition", |found| found["code"] == 404).await;
    assert_eq!(api.call("GET", WIDGETS, None).await.0, 404);
    assert_eq!(api.call("GET", "/apis/example.com", None).await.0, 404);
    let service = "/apis/apiregistration.k8s.io/v1/apiservices/v1.example.com";
    reads(&api, service, "end of its APIService", |found| found["code"] == 404).await;
}

#[tokio::test]
async fn a_new_schema_is_used_and_stored_versions_are_noted() {
    let api = api().await;
    api.create(WIDGETS, &widget("a", &json!({"size": 1}))).await;
    let path = format!("{DEFINITIONS}/widgets.example.com");
    let shape = "/spec/versions/1/schema/openAPIV3Schema/properties/spec/properties/shape";
    let round = json!([{"op": "add", "path": shape, "value": {"type": "string", "default": "round"}}]);
    let (code, changed) = api.patch(&path, "json", &round).await;
    assert_eq!((code, &changed["metadata"]["generation"]), (200, &json!(2)));
    let (_, found) = api.call("GET", &format!("{WIDGETS}/a"), None).await;
    assert_eq!(found["spec"]["shape"], "round", "defaults apply to what was stored before");
    let storage = json!([
        {"op": "replace", "path": "/spec/versions/0/storage", "value": true},
        {"op": "replace", "path": "/spec/versions/1/storage", "value": false},
    ]);
    let (_, moved) = api.patch(&path, "json", &storage).await;
    assert_eq!(moved["status"]["storedVersions"], json!(["v1", "v1alpha1"]));
    let (code, refused) = api.patch(&path, "json", &json!([{"op": "remove", "path": "/spec/versions/1"}])).await;
    assert_eq!(code, 422);
    assert!(
        refused["message"].as_str().unwrap().contains("status.storedVersions[0]: Invalid value: \"v1\""),
        "{refused}"
    );
    assert_eq!(api.call("GET", &format!("{WIDGETS}/a"), None).await.1["apiVersion"], "example.com/v1");
}

#[tokio::test]
async fn a_custom_kind_may_have_the_name_of_a_built_in_one() {
    let api = Api::start();
    let mut pods = definition();
    pods["metadata"]["name"] = "pods.example.com".into();
    pods["spec"]["names"] = json!({"kind": "Pod", "plural": "pods"});
    establish(&api, &pods).await;
    let pod = json!({"apiVersion": "example.com/v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"size": 1}});
    let created = api.create("/apis/example.com/v1/namespaces/default/pods", &pod).await;
    assert_eq!((&created["spec"], created.get("status")), (&json!({"size": 1, "color": "red"}), None));
    let (_, core) = api.call("GET", "/api/v1/pods", None).await;
    assert_eq!(core["items"], json!([]));
    assert_eq!(api.call("DELETE", "/apis/example.com/v1/namespaces/default/pods/a", None).await.0, 200);
}

#[tokio::test]
async fn a_watch_shows_custom_resources_and_ends_with_their_definition() {
    let api = api().await;
    api.create(WIDGETS, &widget("a", &json!({"size": 1}))).await;
    let watch = api.request("GET", &format!("{OLD_WIDGETS}?watch=true")).send().await.unwrap();
    api.call("DELETE", &format!("{DEFINITIONS}/widgets.example.com"), None).await;
    let text = tokio::time::timeout(Duration::from_secs(20), watch.text()).await.unwrap().unwrap();
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let seen: Vec<_> =
        events.iter().map(|event| (event["type"].as_str().unwrap(), &event["object"]["apiVersion"])).collect();
    let version = json!("example.com/v1alpha1");
    assert_eq!(seen, [("ADDED", &version), ("DELETED", &version)]);
}
