//! Discovery: the version, the aggregated discovery documents with ETag, and the legacy documents.

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use axum::response::Response;
use serde_json::{Value, json};
use sha2::{Digest, Sha512};

use super::answer;
use crate::kinds::{KINDS, Kind};
use crate::registry::Registry;
use crate::registry::custom::definition;

/// The Kubernetes version that is reported.
pub const VERSION: &str = "v1.36.2";

/// `/version`.
pub fn version() -> Value {
    json!({
        "major": "1", "minor": "36", "emulationMajor": "1", "emulationMinor": "36",
        "minCompatibilityMajor": "1", "minCompatibilityMinor": "35",
        "gitVersion": VERSION, "gitCommit": "", "gitTreeState": "clean", "buildDate": "2026-06-01T00:00:00Z",
        "goVersion": "", "compiler": "", "platform": oci::platform(),
    })
}

/// A create-only resource that is evaluated and not stored.
pub struct Review {
    /// API group, version `v1`.
    pub group: &'static str,
    /// `SelfSubjectAccessReview`.
    pub kind: &'static str,
    /// `selfsubjectaccessreviews`.
    pub plural: &'static str,
    /// `selfsubjectaccessreview`.
    pub singular: &'static str,
    /// Whether it is created in a namespace.
    pub namespaced: bool,
}

const fn review(group: &'static str, kind: &'static str, plural: &'static str, singular: &'static str) -> Review {
    Review { group, kind, plural, singular, namespaced: false }
}

const AUTHENTICATION: &str = "authentication.k8s.io";
const AUTHORIZATION: &str = "authorization.k8s.io";

/// The reviews that are supported.
pub static REVIEWS: &[Review] = &[
    review(AUTHENTICATION, "SelfSubjectReview", "selfsubjectreviews", "selfsubjectreview"),
    review(AUTHENTICATION, "TokenReview", "tokenreviews", "tokenreview"),
    Review {
        namespaced: true,
        ..review(AUTHORIZATION, "LocalSubjectAccessReview", "localsubjectaccessreviews", "localsubjectaccessreview")
    },
    review(AUTHORIZATION, "SelfSubjectAccessReview", "selfsubjectaccessreviews", "selfsubjectaccessreview"),
    review(AUTHORIZATION, "SelfSubjectRulesReview", "selfsubjectrulesreviews", "selfsubjectrulesreview"),
    review(AUTHORIZATION, "SubjectAccessReview", "subjectaccessreviews", "subjectaccessreview"),
];

/// Serves `/api`.
pub fn core(registry: &Registry, headers: &HeaderMap) -> Response {
    if let Some(media_type) = aggregated(headers) {
        return cached(headers, media_type, &list(media_type, &[aggregated_group(registry, "", &["v1"])]));
    }
    answer::json(200, &json!({"kind": "APIVersions", "versions": ["v1"]}))
}

/// Serves `/apis`.
pub fn groups(registry: &Registry, headers: &HeaderMap) -> Response {
    let groups = served_groups(registry);
    if let Some(media_type) = aggregated(headers) {
        let groups = groups.iter().map(|(group, versions)| aggregated_group(registry, group, versions));
        let groups: Vec<Value> = groups.collect();
        return cached(headers, media_type, &list(media_type, &groups));
    }
    let groups: Vec<Value> = groups.iter().map(|(group, versions)| legacy_group(group, versions)).collect();
    answer::json(200, &json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}))
}

/// Returns the legacy documents `/apis/GROUP`, `/api/v1` and `/apis/GROUP/VERSION`.
pub fn group_document(registry: &Registry, path: &str) -> Option<Value> {
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    match segments.as_slice() {
        ["api", "v1"] => Some(legacy_resources(registry, "", "v1")),
        ["apis", group] => {
            let (group, versions) = served_groups(registry).into_iter().find(|(g, _)| g == group)?;
            let mut document = legacy_group(group, &versions);
            document["kind"] = "APIGroup".into();
            document["apiVersion"] = "v1".into();
            Some(document)
        }
        ["apis", group, version] => {
            let is_it = |(g, versions): &(&str, Vec<&str>)| g == group && versions.contains(version);
            served_groups(registry).iter().any(is_it).then(|| legacy_resources(registry, group, version))
        }
        _ => None,
    }
}

/// Returns every group except the core one with its versions, the preferred one first.
pub fn served_groups(registry: &Registry) -> Vec<(&'static str, Vec<&'static str>)> {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    let built_in = KINDS.iter().map(|kind| (kind.group, kind.version));
    let reviews = REVIEWS.iter().map(|review| (review.group, "v1"));
    let custom = registry.custom();
    let custom = custom.served().map(|version| (version.kind.group, version.kind.version));
    for (group, version) in built_in.chain(reviews).chain(custom).filter(|(group, _)| !group.is_empty()) {
        match groups.iter_mut().find(|(other, _)| *other == group) {
            Some((_, versions)) if versions.contains(&version) => {}
            Some((_, versions)) => versions.push(version),
            None => groups.push((group, vec![version])),
        }
    }
    for (_, versions) in &mut groups {
        versions.sort_by_key(|version| definition::rank(version));
    }
    groups
}

/// Returns the kinds of a group and version.
pub fn kinds(registry: &Registry, group: &str, version: &str) -> Vec<&'static Kind> {
    let custom = registry.custom();
    let all = KINDS.iter().chain(custom.served().map(|version| version.kind));
    all.filter(|kind| kind.group == group && kind.version == version).collect()
}

/// Returns the aggregated form that the client accepts, if it accepts one.
fn aggregated(headers: &HeaderMap) -> Option<&'static str> {
    let accept = headers.get(ACCEPT)?.to_str().ok()?;
    let asks = |version: &str| {
        accept.split(',').any(|one| one.contains("as=APIGroupDiscoveryList") && one.contains(&format!("v={version};")))
    };
    if asks("v2") {
        return Some("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
    }
    asks("v2beta1").then_some("application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList")
}

/// Returns a document with an ETag, or 304 if the client already has it.
pub fn cached(headers: &HeaderMap, media_type: &str, document: &Value) -> Response {
    let content = document.to_string();
    let digest = Sha512::digest(content.as_bytes());
    let hex = digest.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02X}"));
    let etag = format!("\"{hex}\"");
    let known = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok()) == Some(etag.as_str());
    let answer = Response::builder().header(ETAG, etag).header(VARY, "Accept");
    let answer = if known {
        answer.status(304).body(Body::empty())
    } else {
        answer.status(200).header(CONTENT_TYPE, media_type).body(Body::from(content))
    };
    answer.unwrap_or_default()
}

fn list(media_type: &str, items: &[Value]) -> Value {
    let version = if media_type.contains("v=v2;") { "v2" } else { "v2beta1" };
    json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": format!("apidiscovery.k8s.io/{version}"),
        "metadata": {}, "items": items,
    })
}

fn aggregated_group(registry: &Registry, group: &str, versions: &[&str]) -> Value {
    let metadata = if group.is_empty() { json!({}) } else { json!({"name": group}) };
    let versions: Vec<Value> = versions.iter().map(|version| aggregated_version(registry, group, version)).collect();
    json!({"metadata": metadata, "versions": versions})
}

fn aggregated_version(registry: &Registry, group: &str, version: &str) -> Value {
    let kinds = kinds(registry, group, version).into_iter();
    let reviews = REVIEWS.iter().filter(|review| review.group == group && version == "v1").map(|review| {
        json!({
            "resource": review.plural, "responseKind": response_kind("", "", review.kind),
            "scope": if review.namespaced { "Namespaced" } else { "Cluster" },
            "singularResource": review.singular, "verbs": ["create"],
        })
    });
    let resources: Vec<Value> = kinds.map(aggregated_resource).chain(reviews).collect();
    json!({"version": version, "resources": resources, "freshness": "Current"})
}

fn aggregated_resource(kind: &Kind) -> Value {
    let mut resource = json!({
        "resource": kind.plural, "responseKind": own_kind(kind),
        "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": kind.singular, "verbs": verbs(kind),
    });
    if !kind.short_names.is_empty() {
        resource["shortNames"] = json!(kind.short_names);
    }
    if !kind.categories().is_empty() {
        resource["categories"] = json!(kind.categories());
    }
    let subresources: Vec<Value> = kind.subresources.iter().map(|name| aggregated_subresource(kind, name)).collect();
    if !subresources.is_empty() {
        resource["subresources"] = subresources.into();
    }
    resource
}

fn aggregated_subresource(kind: &Kind, name: &str) -> Value {
    let (response, verbs) = subresource(kind, name);
    json!({"subresource": name, "responseKind": response, "verbs": verbs})
}

/// Returns the kind that a subresource returns, and its verbs.
fn subresource(kind: &Kind, name: &str) -> (Value, &'static [&'static str]) {
    match name {
        "scale" => (response_kind("autoscaling", "v1", "Scale"), &["get", "patch", "update"]),
        "log" => (response_kind("", "", "Pod"), &["get"]),
        "exec" => (response_kind("", "", "PodExecOptions"), &["create", "get"]),
        "attach" => (response_kind("", "", "PodAttachOptions"), &["create", "get"]),
        "portforward" => (response_kind("", "", "PodPortForwardOptions"), &["create", "get"]),
        "eviction" => (response_kind("policy", "v1", "Eviction"), &["create"]),
        "binding" => (response_kind("", "", "Binding"), &["create"]),
        "token" => (response_kind("authentication.k8s.io", "v1", "TokenRequest"), &["create"]),
        "finalize" => (own_kind(kind), &["update"]),
        _ => (own_kind(kind), &["get", "patch", "update"]),
    }
}

/// Returns the kind itself; clients know the group and version of a built-in one.
fn own_kind(kind: &Kind) -> Value {
    if kind.custom.is_some() {
        response_kind(kind.group, kind.version, kind.kind)
    } else {
        response_kind("", "", kind.kind)
    }
}

fn response_kind(group: &str, version: &str, kind: &str) -> Value {
    json!({"group": group, "version": version, "kind": kind})
}

fn verbs(kind: &Kind) -> &'static [&'static str] {
    if kind.built_in() == "ComponentStatus" {
        return &["get", "list"];
    }
    if kind.built_in() == "Namespace" {
        return &["create", "delete", "get", "list", "patch", "update", "watch"];
    }
    &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
}

fn legacy_group(group: &str, versions: &[&str]) -> Value {
    let version = |version: &&str| json!({"groupVersion": format!("{group}/{version}"), "version": version});
    let versions: Vec<Value> = versions.iter().map(version).collect();
    json!({"name": group, "versions": versions, "preferredVersion": versions[0]})
}

fn legacy_resources(registry: &Registry, group: &str, version: &str) -> Value {
    let mut resources = Vec::new();
    for kind in kinds(registry, group, version) {
        resources.push(legacy_resource(kind));
        for name in kind.subresources {
            resources.push(legacy_subresource(kind, name));
        }
    }
    for review in REVIEWS.iter().filter(|review| review.group == group && version == "v1") {
        resources.push(json!({
            "name": review.plural, "singularName": review.singular, "namespaced": review.namespaced,
            "kind": review.kind, "verbs": ["create"],
        }));
    }
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources})
}

fn legacy_resource(kind: &Kind) -> Value {
    let mut resource = json!({
        "name": kind.plural, "singularName": kind.singular, "namespaced": kind.namespaced,
        "kind": kind.kind, "verbs": verbs(kind),
    });
    if !kind.short_names.is_empty() {
        resource["shortNames"] = json!(kind.short_names);
    }
    if !kind.categories().is_empty() {
        resource["categories"] = json!(kind.categories());
    }
    resource
}

fn legacy_subresource(kind: &Kind, name: &str) -> Value {
    let (response, verbs) = subresource(kind, name);
    let mut resource = json!({
        "name": format!("{}/{name}", kind.plural), "singularName": "", "namespaced": kind.namespaced,
        "kind": response["kind"], "verbs": verbs,
    });
    if response["group"] != "" {
        resource["group"] = response["group"].clone();
        resource["version"] = response["version"].clone();
    }
    resource
}
