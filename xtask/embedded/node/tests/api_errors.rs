//! Replays requests that a real kube-apiserver rejects, and compares the responses.

#![expect(clippy::unwrap_used, reason = "a test that can't continue fails")]

mod support;

use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};
use support::{Api, document};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Differences from the real response, each with its reason. Such a message may end earlier than the recorded one.
const DIFFERENCES: &[(&str, &str)] =
    &[("pvc-immutable", "the real message ends with a diff of Go structs; this one ends before it")];

#[derive(serde::Deserialize)]
struct Recorded {
    name: String,
    request: String,
    content_type: String,
    body: Value,
    code: u16,
    answer: Value,
}

#[tokio::test]
async fn every_recorded_error_gets_the_same_response() {
    let api = Api::start();
    api.create("/api/v1/namespaces", &json!({"metadata": {"name": "e"}})).await;
    let labels = json!({"pod-security.kubernetes.io/enforce": "restricted"});
    api.create("/api/v1/namespaces", &json!({"metadata": {"name": "pss", "labels": labels}})).await;
    for namespace in ["e", "pss"] {
        api.give_account(namespace);
    }
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in include_str!("fixtures/api-errors.jsonl").lines() {
        let recorded: Recorded = serde_json::from_str(line).unwrap();
        prepare(&api, &recorded.name).await;
        let (code, answer) = replay(&api, &recorded).await;
        count += 1;
        if let Some(how) = difference(&recorded, code, &answer) {
            wrong.push(format!("{} ({}): {how}", recorded.name, recorded.request));
        }
    }
    assert_eq!(count, 53);
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// Opens a connection without any client library.
async fn connection(api: &Api) -> TlsStream<TcpStream> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(api.ca_pem().as_bytes()).unwrap()).unwrap();
    let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let stream = TcpStream::connect(api.address).await.unwrap();
    TlsConnector::from(Arc::new(config)).connect(ServerName::from(api.address.ip()), stream).await.unwrap()
}

#[tokio::test]
async fn an_error_waits_for_the_whole_body_and_keeps_the_connection() {
    let api = Api::start();
    let fault = json!([{"fault": "apiFails", "of": "POST secrets", "code": 500, "message": "etcdserver: no leader"}]);
    api.faults.replace(serde_json::from_value(fault).unwrap());
    let mut connection = connection(&api).await;
    // More than fits into the buffers of a connection.
    let (token, body) = (api.authorization(), "x".repeat(2_900_000));
    for path in ["namespaces/default/secrets", "namespaces/default/nosuchkind"] {
        let head = format!("POST /api/v1/{path} HTTP/1.1\r\nhost: x\r\n{token}content-length: {}\r\n\r\n", body.len());
        connection.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    }
    let last = format!("GET /readyz HTTP/1.1\r\nhost: x\r\n{token}connection: close\r\n\r\n");
    connection.write_all(last.as_bytes()).await.unwrap();
    let mut answers = String::new();
    connection.read_to_string(&mut answers).await.unwrap();
    let codes: Vec<_> = answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    assert_eq!(codes, ["500", "404", "200"], "{answers}");
    assert!(answers.contains("etcdserver: no leader"), "{answers}");
}

/// Does what the recording did between the requests.
async fn prepare(api: &Api, name: &str) {
    match name {
        "quota" => {
            let quota = json!({"metadata": {"name": "q"}, "spec": {"hard": {"pods": "0"}}});
            api.create("/api/v1/namespaces/e/resourcequotas", &quota).await;
        }
        // Without controllers it is not emptied and stays in the state of being deleted.
        "namespace-terminating" => {
            let (code, _) = api.call("DELETE", "/api/v1/namespaces/e", None).await;
            assert_eq!(code, 200);
        }
        _ => {}
    }
}

async fn replay(api: &Api, recorded: &Recorded) -> (u16, Value) {
    let (method, path) = recorded.request.split_once(' ').unwrap();
    let mut request = api.request(method, path).header("content-type", &recorded.content_type);
    request = match &recorded.body {
        Value::Null => request,
        Value::String(text) => request.body(text.clone()),
        body => request.body(body.to_string()),
    };
    document(request.send().await.unwrap()).await
}

fn difference(recorded: &Recorded, code: u16, answer: &Value) -> Option<String> {
    if code != recorded.code {
        return Some(format!("code {code} instead of {}: {answer}", recorded.code));
    }
    let (wanted, got) = (steady(&recorded.answer), steady(answer));
    let is_allowed = DIFFERENCES.iter().any(|(name, _)| *name == recorded.name);
    if wanted["kind"] != "Status" {
        // Accepted: only the kind was recorded.
        let is_alike = wanted
            .get("raw")
            .map_or(wanted["kind"] == got["kind"] || wanted["kind"].is_null(), |raw| *raw == got["raw"]);
        return (!is_alike).then(|| format!("{got} instead of {wanted}"));
    }
    if is_allowed {
        let (wanted, got) = (wanted["message"].as_str().unwrap(), got["message"].as_str().unwrap());
        return (!wanted.starts_with(got)).then(|| format!("{got} instead of {wanted}"));
    }
    (wanted != got).then(|| format!("\n  got    {got}\n  wanted {wanted}"))
}

/// Removes what differs from run to run: the UID in record.
fn steady(answer: &Value) -> Value {
    let mut answer = answer.clone();
    if let Some(message) = answer["message"].as_str()
        && let Some((before, rest)) = message.split_once("UID in record (")
    {
        let after = rest.split_once(')').map_or("", |(_, after)| after);
        answer["message"] = format!("{before}UID in record (){after}").into();
    }
    answer
}

/// Names that become paths on the node must not lead elsewhere.
#[tokio::test]
async fn no_name_leads_out_of_its_directory() {
    let claim = |volume: &str| {
        let resources = json!({"requests": {"storage": "1Gi"}});
        json!({"metadata": {"generateName": "c-"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": resources, "volumeName": volume}})
    };
    let keyed = |key: &str| json!({"metadata": {"generateName": "m-"}, "data": {key: ""}});
    let named =
        |name: &str| json!({"metadata": {"name": name}, "spec": {"containers": [{"name": "main", "image": "i"}]}});
    let (claims, maps, pods) = ("persistentvolumeclaims", "configmaps", "pods");
    let subdomain = "a lowercase RFC 1123 subdomain must consist of";
    let api = Api::start();
    for (plural, object, field, why) in [
        (claims, claim("/somewhere"), "spec.volumeName", subdomain),
        (claims, claim("../somewhere"), "spec.volumeName", subdomain),
        (maps, keyed(".."), "data[..]", "must not be '..'"),
        (maps, keyed("."), "data[.]", "must not be '.'"),
        (maps, keyed("..data"), "data[..data]", "must not start with '..'"),
        ("secrets", keyed(".."), "data[..]", "must not be '..'"),
        (pods, named(".."), "metadata.name", subdomain),
        (pods, named("a/b"), "metadata.name", subdomain),
    ] {
        is_invalid(&api, plural, &object, field, why).await;
    }
    let (code, answer) = api.call("POST", "/api/v1/namespaces", Some(&json!({"metadata": {"name": ".."}}))).await;
    assert_eq!(code, 422, "{answer}");
}

async fn is_invalid(api: &Api, plural: &str, object: &Value, field: &str, why: &str) {
    let (code, answer) = api.call("POST", &format!("/api/v1/namespaces/default/{plural}"), Some(object)).await;
    let causes = answer["details"]["causes"].as_array().cloned().unwrap_or_default();
    let matches = |cause: &Value| cause["field"] == field && cause["message"].as_str().is_some_and(|m| m.contains(why));
    assert!(code == 422 && causes.iter().any(matches), "{object}: {answer}");
}

/// Returns a pod with a volume and its mount.
fn with_volume(volume: &Value, mount: &Value) -> Value {
    let container = json!({"name": "main", "image": "i", "volumeMounts": [mount]});
    json!({"metadata": {"generateName": "p-"}, "spec": {"containers": [container], "volumes": [volume]}})
}

#[tokio::test]
async fn no_file_of_a_volume_leads_out() {
    let item = |path: &str| json!([{"key": "k", "path": path}]);
    let map = |path: &str| json!({"name": "v", "configMap": {"name": "m", "items": item(path)}});
    let secret = json!({"name": "v", "secret": {"secretName": "s", "items": item("a/../../x")}});
    let own = json!([{"path": "../x", "fieldRef": {"fieldPath": "metadata.name"}}]);
    let own = json!({"name": "v", "downwardAPI": {"items": own}});
    let token = json!({"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "../x"}}]}});
    let in_projected = json!({"configMap": {"name": "m", "items": item("../x")}});
    let projected = json!({"name": "v", "projected": {"sources": [in_projected]}});
    let back = "must not contain '..'";
    let api = Api::start();
    for (volume, field, why) in [
        (map("../../x"), "configMap.items[0].path", back),
        (map("/x"), "configMap.items[0].path", "must be a relative path"),
        (map("..x"), "configMap.items[0].path", "must not start with '..'"),
        (secret, "secret.items[0].path", back),
        (own, "downwardAPI.items[0].path", back),
        (token, "projected.sources[0].serviceAccountToken.path", back),
        (projected, "projected.sources[0].configMap.items[0].path", back),
        (json!({"name": "../x", "emptyDir": {}}), "name", "a lowercase RFC 1123 label must consist of"),
    ] {
        let mount = json!({"name": volume["name"], "mountPath": "/v"});
        is_invalid(&api, "pods", &with_volume(&volume, &mount), &format!("spec.volumes[0].{field}"), why).await;
    }
    let below = |field: &str, path: &str| json!({"name": "v", "mountPath": "/v", field: path});
    let empty = json!({"name": "v", "emptyDir": {}});
    for (field, path, why) in [("subPath", "../x", back), ("subPathExpr", "/$(A)", "must be a relative path")] {
        let pod = with_volume(&empty, &below(field, path));
        is_invalid(&api, "pods", &pod, &format!("spec.containers[0].volumeMounts[0].{field}"), why).await;
    }
    let fine = with_volume(&map("a/b..c"), &below("subPath", "a/..b"));
    api.create("/api/v1/namespaces/default/pods", &fine).await;
}
