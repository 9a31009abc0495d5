//! `OpenAPI` v3 from the table of kinds: a patch operation for each kind with its group, version and kind, and schemas
//! that accept everything. The server itself checks fields (`fieldValidation`).

use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::{answer, discovery};
use crate::kinds::{KINDS, Kind};

/// The media type in which `/openapi/v2` is requested.
const V2: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// Serves `/openapi/v2`, `/openapi/v3` and the paths below.
pub fn answer(path: &str, headers: &HeaderMap) -> Option<Response> {
    if path == "/openapi/v2" {
        return Some(answer::body(200, V2, document_v2()));
    }
    match path.strip_prefix("/openapi/v3")? {
        "" => Some(discovery::cached(headers, "application/json", &index())),
        path => {
            let document = document(path.trim_start_matches('/'))?;
            Some(answer::json(200, &document))
        }
    }
}

/// Returns a document without schemas: clients that look up the schema of `List`, which v3 lacks, then skip the check.
fn document_v2() -> Vec<u8> {
    let info = [field(1, b"Kubernetes"), field(2, discovery::VERSION.as_bytes())].concat();
    [field(1, b"2.0"), field(2, &info)].concat()
}

/// Encodes a field of a protobuf message, of fewer than 128 bytes.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap_or(0);
    [&[number << 3 | 2, length], content].concat()
}

fn index() -> Value {
    let entry = |path: &str| json!({"serverRelativeURL": format!("/openapi/v3/{path}?hash={}", discovery::VERSION)});
    let mut paths = Map::from_iter([("api/v1".to_owned(), entry("api/v1"))]);
    for (group, version) in discovery::group_versions() {
        let path = format!("apis/{group}/{version}");
        paths.insert(path.clone(), entry(&path));
    }
    json!({ "paths": paths })
}

fn document(path: &str) -> Option<Value> {
    let (group, version) = match path.split('/').collect::<Vec<_>>().as_slice() {
        ["api", "v1"] => ("", "v1"),
        ["apis", group, version] => {
            discovery::group_versions().into_iter().find(|(g, v)| g == group && v == version)?
        }
        _ => return None,
    };
    let kinds = || KINDS.iter().filter(|kind| kind.group == group && kind.version == version);
    let paths: Map<String, Value> = kinds().map(|kind| (object_path(path, kind), operations(kind))).collect();
    let schemas: Map<String, Value> = kinds().map(|kind| (schema_name(kind), schema(kind))).collect();
    Some(json!({
        "openapi": "3.0.0", "info": {"title": "Kubernetes", "version": discovery::VERSION},
        "paths": paths, "components": {"schemas": schemas},
    }))
}

fn object_path(prefix: &str, kind: &Kind) -> String {
    let namespace = if kind.namespaced { "/namespaces/{namespace}" } else { "" };
    format!("/{prefix}{namespace}/{}/{{name}}", kind.plural)
}

fn operations(kind: &Kind) -> Value {
    let parameter =
        |name: &str| json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}});
    let parameters = ["dryRun", "fieldManager", "fieldValidation", "force"].map(parameter);
    json!({
        "patch": {
            "operationId": format!("patch{}", kind.kind), "parameters": parameters,
            "responses": {"200": {"description": "OK"}},
            "x-kubernetes-action": "patch", "x-kubernetes-group-version-kind": identity(kind),
        }
    })
}

fn identity(kind: &Kind) -> Value {
    json!({"group": kind.group, "version": kind.version, "kind": kind.kind})
}

fn schema_name(kind: &Kind) -> String {
    let group = kind.group.split('.').next().filter(|group| !group.is_empty()).unwrap_or("core");
    format!("io.k8s.api.{group}.{}.{}", kind.version, kind.kind)
}

fn schema(kind: &Kind) -> Value {
    json!({"type": "object", "x-kubernetes-group-version-kind": [identity(kind)]})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_without_schemas_is_protobuf() {
        assert_eq!(document_v2(), b"\x0a\x032.0\x12\x15\x0a\x0aKubernetes\x12\x07v1.36.2");
    }
}
