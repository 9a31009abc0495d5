//! Watches over HTTP: streamed lists, selector transitions, bookmarks, 410.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't continue fails")]

mod support;

use futures::StreamExt;
use serde_json::{Value, json};
use support::Api;

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";

fn config_map(name: &str, label: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"app": label}}})
}

/// The lines of a watch, as they arrive.
struct Lines {
    stream: futures::stream::BoxStream<'static, Vec<u8>>,
    rest: Vec<u8>,
}

impl Lines {
    async fn of(api: &Api, path: &str) -> Self {
        let response = api.request("GET", path).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let stream = response.bytes_stream().filter_map(async |chunk| chunk.ok().map(|bytes| bytes.to_vec())).boxed();
        Self { stream, rest: Vec::new() }
    }

    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).unwrap());
            }
            self.rest.extend(self.stream.next().await?);
        }
    }

    /// Returns the next event as `ADDED a`.
    async fn shown(&mut self) -> String {
        let event = self.next().await.expect("the watch continues");
        let name = event["object"]["metadata"]["name"].as_str().unwrap_or("-");
        format!("{} {name}", event["type"].as_str().unwrap())
    }
}

#[tokio::test]
async fn a_streamed_list_ends_with_an_annotated_bookmark_and_continues() {
    let api = Api::start();
    api.create(CONFIG_MAPS, &config_map("a", "x")).await;
    let query = "watch=true&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan";
    let mut lines = Lines::of(&api, &format!("{CONFIG_MAPS}?{query}")).await;
    assert_eq!(lines.shown().await, "ADDED a");
    let bookmark = lines.next().await.unwrap();
    assert_eq!(bookmark["type"], "BOOKMARK");
    assert_eq!(bookmark["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
    assert_eq!(bookmark["object"]["kind"], "ConfigMap");
    api.create(CONFIG_MAPS, &config_map("b", "x")).await;
    assert_eq!(lines.shown().await, "ADDED b");
}

#[tokio::test]
async fn an_object_that_leaves_a_selector_is_reported_as_deleted() {
    let api = Api::start();
    let mut lines = Lines::of(&api, &format!("{CONFIG_MAPS}?watch=true&labelSelector=app%3Dx")).await;
    let one = format!("{CONFIG_MAPS}/a");
    api.create(CONFIG_MAPS, &config_map("a", "x")).await;
    api.patch(&one, "merge", &json!({"data": {"k": "v"}})).await;
    api.patch(&one, "merge", &json!({"metadata": {"labels": {"app": "y"}}})).await;
    api.patch(&one, "merge", &json!({"data": {"k": "w"}})).await;
    api.patch(&one, "merge", &json!({"metadata": {"labels": {"app": "x"}}})).await;
    api.call("DELETE", &one, None).await;
    for wanted in ["ADDED a", "MODIFIED a", "DELETED a", "ADDED a", "DELETED a"] {
        assert_eq!(lines.shown().await, wanted);
    }
}

#[tokio::test]
async fn a_watch_from_a_version_reports_only_later_changes() {
    let api = Api::start();
    let first = api.create(CONFIG_MAPS, &config_map("a", "x")).await;
    api.create(CONFIG_MAPS, &config_map("b", "x")).await;
    let version = first["metadata"]["resourceVersion"].as_str().unwrap();
    let path = format!("{CONFIG_MAPS}?watch=true&timeoutSeconds=1&resourceVersion={version}");
    let mut lines = Lines::of(&api, &path).await;
    assert_eq!(lines.shown().await, "ADDED b");
    assert_eq!(lines.next().await, None, "the watch ends when its time is up");
}

#[tokio::test]
async fn a_watch_from_before_the_kept_changes_is_gone() {
    let api = Api::start();
    api.create(CONFIG_MAPS, &config_map("a", "x")).await;
    let kind = node::kinds::find("", "v1", "configmaps").unwrap();
    for number in 0..5000 {
        let mut stored = (*api.registry.store.get(kind, "default", "a").unwrap()).clone();
        stored["data"] = json!({ "n": number.to_string() });
        api.registry.store.replace(kind, stored).unwrap();
    }
    let mut lines = Lines::of(&api, &format!("{CONFIG_MAPS}?watch=true&resourceVersion=1")).await;
    let event = lines.next().await.unwrap();
    assert_eq!((&event["type"], &event["object"]["code"]), (&json!("ERROR"), &json!(410)));
    assert_eq!(lines.next().await, None);
}

#[tokio::test]
async fn planted_faults_break_and_expire_watches() {
    let api = Api::start();
    api.create(CONFIG_MAPS, &config_map("a", "x")).await;
    api.create(CONFIG_MAPS, &config_map("b", "x")).await;
    let plant = json!([
        {"fault": "watchBreaks", "of": "configmaps", "times": 1},
        {"fault": "watchExpires", "of": "secrets", "times": 1},
    ]);
    assert_eq!(api.call("POST", "/chartproof/faults", Some(&plant)).await.0, 200);
    let mut lines = Lines::of(&api, &format!("{CONFIG_MAPS}?watch=true")).await;
    assert_eq!(lines.shown().await, "ADDED a");
    assert_eq!(lines.next().await, None, "broken after the first event");
    let mut lines = Lines::of(&api, "/api/v1/namespaces/default/secrets?watch=true").await;
    assert_eq!(lines.next().await.unwrap()["object"]["reason"], "Expired");
}

#[tokio::test]
async fn metadata_and_tables_can_be_watched() {
    let api = Api::start();
    api.create(CONFIG_MAPS, &config_map("a", "x")).await;
    for (accept, kind) in [
        ("application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io", "PartialObjectMetadata"),
        ("application/json;as=Table;v=v1;g=meta.k8s.io", "Table"),
    ] {
        let request = api.request("GET", &format!("{CONFIG_MAPS}?watch=true&timeoutSeconds=1"));
        let text = request.header("accept", accept).send().await.unwrap().text().await.unwrap();
        let event: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        assert_eq!(event["object"]["kind"], kind);
    }
}
