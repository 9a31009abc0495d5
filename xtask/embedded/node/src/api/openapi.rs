//! `OpenAPI` v3 from the table of kinds: a patch operation for each kind with its group, version and kind, and its
//! schema: a custom resource's own, and for a built-in kind one that accepts everything. The server itself checks fields
//! (`fieldValidation`).

use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::{answer, discovery};
use crate::kinds::{self, Kind};
use crate::registry::Registry;
use crate::registry::custom::definition;

/// The schema of every object's metadata.
const METADATA: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/// The media type in which `/openapi/v2` is requested.
const V2: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// Serves `/openapi/v2`, `/openapi/v3` and the paths below.
pub fn answer(registry: &Registry, path: &str, headers: &HeaderMap) -> Option<Response> {
    if path == "/openapi/v2" {
        return Some(answer::body(200, V2, document_v2()));
    }
    match path.strip_prefix("/openapi/v3")? {
        "" => Some(discovery::cached(headers, "application/json", &index(registry))),
        path => {
            let document = document(registry, path.trim_start_matches('/'))?;
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

fn index(registry: &Registry) -> Value {
    // Documents change with the definitions in them.
    let definitions = kinds::find(definition::GROUP, "v1", "customresourcedefinitions");
    let written = definitions.map_or(0, |kind| registry.store.last_written(kind));
    let hash = format!("{}-{written}", discovery::VERSION);
    let entry = |path: &str| json!({"serverRelativeURL": format!("/openapi/v3/{path}?hash={hash}")});
    let mut paths = Map::from_iter([("api/v1".to_owned(), entry("api/v1"))]);
    for (group, versions) in discovery::served_groups(registry) {
        let versions = versions.iter().map(|version| format!("apis/{group}/{version}"));
        paths.extend(versions.map(|path| (path.clone(), entry(&path))));
    }
    json!({ "paths": paths })
}

fn document(registry: &Registry, path: &str) -> Option<Value> {
    let segments: Vec<&str> = path.split('/').collect();
    let kinds = match segments.as_slice() {
        ["api", "v1"] => discovery::kinds(registry, "", "v1"),
        ["apis", group, version] => {
            let groups = discovery::served_groups(registry);
            let is_served = groups.iter().any(|(g, versions)| g == group && versions.contains(version));
            is_served.then(|| discovery::kinds(registry, group, version))?
        }
        _ => return None,
    };
    let paths: Map<String, Value> = kinds.iter().map(|kind| (object_path(path, kind), operations(kind))).collect();
    let schemas = kinds.iter().map(|kind| (schema_name(kind), schema(registry, kind)));
    let mut schemas: Map<String, Value> = schemas.collect();
    schemas.insert(METADATA.to_owned(), json!({"type": "object"}));
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
    if kind.custom.is_some() {
        let group: Vec<&str> = kind.group.rsplit('.').collect();
        return format!("{}.{}.{}", group.join("."), kind.version, kind.kind);
    }
    let group = kind.group.split('.').next().filter(|group| !group.is_empty()).unwrap_or("core");
    format!("io.k8s.api.{group}.{}.{}", kind.version, kind.kind)
}

fn schema(registry: &Registry, kind: &Kind) -> Value {
    let custom = registry.custom_version(kind).map(|version| version.schema_document().clone());
    let mut schema = custom.unwrap_or_else(|| json!({"type": "object"}));
    if kind.custom.is_some() {
        for field in ["apiVersion", "kind"] {
            schema["properties"][field] = json!({"type": "string"});
        }
        schema["properties"]["metadata"] = json!({"allOf": [{"$ref": format!("#/components/schemas/{METADATA}")}]});
    }
    schema["x-kubernetes-group-version-kind"] = json!([identity(kind)]);
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_without_schemas_is_protobuf() {
        assert_eq!(document_v2(), b"\x0a\x032.0\x12\x15\x0a\x0aKubernetes\x12\x07v1.36.2");
    }
}
