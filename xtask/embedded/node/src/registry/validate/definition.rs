//! What is wrong with a `CustomResourceDefinition`.

use regex::Regex;
use serde_json::{Value, json};

use super::{Cause, names};
use crate::registry::custom::definition::is_established;
use crate::registry::value::{is_missing, items, text};

/// The maximum number of versions of one resource.
const VERSIONS_MAX: usize = 50;
/// The types that a schema may have, besides none.
const TYPES: &[&str] = &["array", "boolean", "integer", "number", "object", "string"];
/// Keywords of JSON Schema that no definition may use.
const FORBIDDEN: &[&str] = &["$ref", "additionalItems", "definitions", "dependencies", "id", "patternProperties"];

/// Returns what is wrong with a definition.
pub fn check(definition: &Value) -> Vec<Cause> {
    let (spec, mut causes) = (&definition["spec"], Vec::new());
    let (group, wanted) = (text(spec, "group"), format!("{}.{}", text(&spec["names"], "plural"), text(spec, "group")));
    let name = &definition["metadata"]["name"];
    if *name != wanted.as_str() {
        causes.push(Cause::bad("metadata.name", name, "must be spec.names.plural+\".\"+spec.group"));
    }
    match group {
        "" => causes.push(Cause::required("spec.group", "")),
        _ if !group.contains('.') => {
            causes.push(Cause::bad("spec.group", &group.into(), "should be a domain with at least one dot"));
        }
        _ => causes.extend(names::subdomain(group).iter().map(|why| Cause::bad("spec.group", &group.into(), why))),
    }
    causes.extend(approval(definition, group));
    match text(spec, "scope") {
        "" => causes.push(Cause::required("spec.scope", "")),
        "Cluster" | "Namespaced" => {}
        _ => causes.push(Cause::not_supported("spec.scope", &spec["scope"], &["Cluster", "Namespaced"])),
    }
    causes.extend(name_causes(&spec["names"]));
    causes.extend(conversion_causes(spec));
    causes.extend(version_causes(spec));
    causes
}

/// Kubernetes' own groups are for what its community has reviewed.
fn approval(definition: &Value, group: &str) -> Option<Cause> {
    let is_protected =
        ["k8s.io", "kubernetes.io"].iter().any(|own| group == *own || group.ends_with(&format!(".{own}")));
    let approved = &definition["metadata"]["annotations"]["api-approved.kubernetes.io"];
    let why = "protected groups must have approval annotation \"api-approved.kubernetes.io\", see \
               https://github.com/kubernetes/enhancements/pull/1111";
    let field = "metadata.annotations[api-approved.kubernetes.io]";
    (is_protected && is_missing(approved)).then(|| Cause::required(field, why))
}

fn name_causes(names: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    for field in ["plural", "singular", "kind", "listKind"] {
        let path = format!("spec.names.{field}");
        match text(names, field) {
            "" => causes.push(Cause::required(path, "")),
            name => {
                let mixed = matches!(field, "kind" | "listKind");
                let prefix = if mixed { "may have mixed case, but should otherwise match: " } else { "" };
                let wrong = names::dns_1035(&if mixed { name.to_lowercase() } else { name.to_owned() });
                causes.extend(wrong.iter().map(|why| Cause::bad(&path, &name.into(), &format!("{prefix}{why}"))));
            }
        }
    }
    for field in ["shortNames", "categories"] {
        for (index, name) in items(names, field).enumerate() {
            let wrong = names::dns_1035(name.as_str().unwrap_or_default());
            causes.extend(wrong.iter().map(|why| Cause::bad(format!("spec.names.{field}[{index}]"), name, why)));
        }
    }
    if names["kind"] == names["listKind"] && names["kind"].is_string() {
        causes.push(Cause::bad("spec.names.listKind", &names["listKind"], "kind and listKind may not be the same"));
    }
    causes
}

/// Objects are only converted by renaming their version. A webhook that is never called is accepted.
fn conversion_causes(spec: &Value) -> Option<Cause> {
    let has_several = items(spec, "versions").count() > 1;
    let field = "spec.conversion.strategy";
    match text(&spec["conversion"], "strategy") {
        "Webhook" if has_several => Some(Cause::forbidden(field, "not supported by the embedded cluster")),
        "None" | "Webhook" => None,
        _ => Some(Cause::not_supported(field, &spec["conversion"]["strategy"], &["None", "Webhook"])),
    }
}

fn version_causes(spec: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let versions: Vec<&Value> = items(spec, "versions").collect();
    let names: Vec<&str> = versions.iter().map(|version| text(version, "name")).collect();
    if versions.len() > VERSIONS_MAX {
        return vec![Cause::too_many("spec.versions", versions.len() as u64, VERSIONS_MAX as u64)];
    }
    if versions.iter().filter(|version| version["storage"] == true).count() != 1 {
        causes.push(Cause::bad(
            "spec.versions",
            &json!(names),
            "must have exactly one version marked as storage version",
        ));
    }
    if names.iter().enumerate().any(|(index, name)| names[..index].contains(name)) {
        causes.push(Cause::bad("spec.versions", &json!(names), "must contain unique version names"));
    }
    if spec["preserveUnknownFields"] == true {
        let why =
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead";
        causes.push(Cause::bad("spec.preserveUnknownFields", &true.into(), why));
    }
    for (index, version) in versions.iter().enumerate() {
        let path = format!("spec.versions[{index}]");
        let wrong = names::dns_1035(names[index]);
        causes.extend(wrong.iter().map(|why| Cause::bad(format!("{path}.name"), &version["name"], why)));
        let field = format!("{path}.schema.openAPIV3Schema");
        match version["schema"].get("openAPIV3Schema") {
            None => causes.push(Cause::required(field, "schemas are required")),
            Some(schema) => {
                match text(schema, "type") {
                    "object" => {}
                    "" => causes.push(Cause::required(format!("{field}.type"), "must not be empty at the root")),
                    _ => {
                        causes.push(Cause::bad(format!("{field}.type"), &schema["type"], "must be object at the root"));
                    }
                }
                schema_causes(schema, &field, &mut causes);
            }
        }
        causes.extend(scale_causes(&version["subresources"]["scale"], &format!("{path}.subresources.scale")));
    }
    causes
}

fn scale_causes(scale: &Value, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    if !scale.is_object() {
        return causes;
    }
    for (field, parent) in [("specReplicasPath", ".spec"), ("statusReplicasPath", ".status")] {
        let field_path = format!("{path}.{field}");
        match text(scale, field) {
            "" => causes.push(Cause::required(field_path, "")),
            at if !at.starts_with(&format!("{parent}.")) => {
                causes.push(Cause::bad(field_path, &at.into(), &format!("should be a json path under {parent}")));
            }
            _ => {}
        }
    }
    causes
}

/// Adds what makes a schema not structural, or impossible to check.
fn schema_causes(schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    let ty = text(schema, "type");
    if !ty.is_empty() && !TYPES.contains(&ty) {
        causes.push(Cause::not_supported(format!("{path}.type"), &schema["type"], TYPES));
    }
    let forbidden = FORBIDDEN.iter().filter(|keyword| schema.get(**keyword).is_some());
    causes.extend(
        forbidden.map(|keyword| Cause::forbidden(format!("{path}.{keyword}"), &format!("{keyword} is not supported"))),
    );
    if schema["uniqueItems"] == true {
        let why = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
        causes.push(Cause::forbidden(format!("{path}.uniqueItems"), why));
    }
    if ty == "array" && schema.get("items").is_none() {
        causes.push(Cause::required(format!("{path}.items"), "must be specified"));
    }
    if let Some(Err(error)) = schema["pattern"].as_str().map(Regex::new) {
        let why = format!("must be a valid regular expression, but isn't: {error}");
        causes.push(Cause::bad(format!("{path}.pattern"), &schema["pattern"], &why));
    }
    if schema["x-kubernetes-list-type"] == "map" && items(schema, "x-kubernetes-list-map-keys").next().is_none() {
        let why = "must not be empty if x-kubernetes-list-type is map";
        causes.push(Cause::required(format!("{path}.x-kubernetes-list-map-keys"), why));
    }
    let additional = schema.get("additionalProperties").filter(|below| **below != true);
    if schema["properties"].is_object() && additional.is_some() {
        let why = "additionalProperties and properties are mutual exclusive";
        causes.push(Cause::forbidden(format!("{path}.additionalProperties"), why));
    }
    for (name, below) in schema["properties"].as_object().into_iter().flatten() {
        typed_causes(below, &format!("{path}.properties[{name}]"), "specified object fields", causes);
    }
    if let Some(below) = additional.filter(|below| below.is_object()) {
        typed_causes(below, &format!("{path}.additionalProperties"), "additionalProperties", causes);
    }
    if let Some(below) = schema.get("items") {
        typed_causes(below, &format!("{path}.items"), "specified array items", causes);
    }
}

fn typed_causes(schema: &Value, path: &str, what: &str, causes: &mut Vec<Cause>) {
    let is_open =
        ["x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields"].iter().any(|flag| schema[flag] == true);
    if text(schema, "type").is_empty() && !is_open {
        causes.push(Cause::required(format!("{path}.type"), &format!("must not be empty for {what}")));
    }
    schema_causes(schema, path, causes);
}

/// Returns what a change of a definition may not change.
pub fn changed(stored: &Value, definition: &Value) -> Vec<Cause> {
    let mut immutable = vec!["/spec/group", "/spec/names/plural"];
    if is_established(stored) {
        immutable.extend(["/spec/scope", "/spec/names/kind"]);
    }
    let moved = immutable.into_iter().filter(|pointer| stored.pointer(pointer) != definition.pointer(pointer));
    let field = |pointer: &str| pointer.trim_start_matches('/').replace('/', ".");
    let value = |pointer: &str| definition.pointer(pointer).cloned().unwrap_or_default();
    let mut causes: Vec<Cause> =
        moved.map(|pointer| Cause::bad(field(pointer), &value(pointer), "field is immutable")).collect();
    for (index, version) in items(&definition["status"], "storedVersions").enumerate() {
        if !items(&definition["spec"], "versions").any(|one| one["name"] == *version) {
            let field = format!("status.storedVersions[{index}]");
            let name = version.as_str().unwrap_or_default();
            let why = format!(
                "missing from spec.versions; {name} was previously a storage version, and must remain in spec.versions \
                 until a storage migration ensures no data remains persisted in {name} and removes {name} from \
                 status.storedVersions"
            );
            causes.push(Cause::bad(field, version, &why));
        }
    }
    causes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::custom::definition::{default, note_stored_version};

    fn definition() -> Value {
        json!({
            "metadata": {"name": "widgets.example.com"},
            "spec": {
                "group": "example.com", "scope": "Namespaced", "names": {"kind": "Widget", "plural": "widgets"},
                "versions": [{
                    "name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}},
                }],
            },
        })
    }

    /// Returns the messages about a definition with another value at a pointer.
    fn causes(pointer: &str, value: Value) -> Vec<String> {
        let mut changed = definition();
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        changed.pointer_mut(parent).unwrap()[field] = value;
        default(&mut changed);
        check(&changed).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_definition_is_refused_in_the_servers_words() {
        let schema = "/spec/versions/0/schema/openAPIV3Schema";
        let table = [
            (
                "/metadata/name",
                json!("b"),
                "metadata.name: Invalid value: \"b\": must be spec.names.plural+\".\"+spec.group",
            ),
            (
                "/spec/scope",
                json!("Any"),
                "spec.scope: Unsupported value: \"Any\": supported values: \"Cluster\", \"Namespaced\"",
            ),
            (
                "/spec/versions/0/schema",
                json!({}),
                "spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required",
            ),
            (
                schema,
                json!({"type": "object", "properties": {"spec": {}}}),
                "spec.versions[0].schema.openAPIV3Schema.properties[spec].type: Required value: must not be empty for \
                 specified object fields",
            ),
            (
                schema,
                json!({"type": "object", "properties": {"a": {"type": "text"}}}),
                "spec.versions[0].schema.openAPIV3Schema.properties[a].type: Unsupported value: \"text\": supported \
                 values: \"array\", \"boolean\", \"integer\", \"number\", \"object\", \"string\"",
            ),
        ];
        for (pointer, value, wanted) in table {
            assert_eq!(causes(pointer, value), [wanted]);
        }
        assert_eq!(causes("/spec/scope", json!("Cluster")), [""; 0]);
        let unstored = causes("/spec/versions/0/storage", json!(false));
        assert!(unstored[0].ends_with("must have exactly one version marked as storage version"), "{unstored:?}");
    }

    #[test]
    fn kubernetes_own_groups_need_an_approval() {
        let mut own = definition();
        own["spec"]["group"] = "example.k8s.io".into();
        own["metadata"]["name"] = "widgets.example.k8s.io".into();
        default(&mut own);
        assert!(
            check(&own)[0].to_string().starts_with("metadata.annotations[api-approved.kubernetes.io]: Required value")
        );
        own["metadata"]["annotations"] = json!({"api-approved.kubernetes.io": "unapproved, an example"});
        assert!(check(&own).is_empty());
    }

    #[test]
    fn a_conversion_webhook_is_refused_only_if_it_would_be_called() {
        let mut converted = definition();
        converted["spec"]["conversion"] = json!({"strategy": "Webhook"});
        default(&mut converted);
        assert!(check(&converted).is_empty());
        let mut second = converted["spec"]["versions"][0].clone();
        (second["name"], second["storage"]) = ("v2".into(), false.into());
        converted["spec"]["versions"].as_array_mut().unwrap().push(second);
        let refused = check(&converted)[0].to_string();
        assert_eq!(refused, "spec.conversion.strategy: Forbidden: not supported by the embedded cluster");
    }

    #[test]
    fn a_stored_version_stays_and_names_do_not_change() {
        let mut stored = definition();
        note_stored_version(&mut stored);
        stored["status"]["conditions"] = json!([{"type": "Established", "status": "True"}]);
        let mut moved = stored.clone();
        moved["spec"]["scope"] = "Cluster".into();
        moved["spec"]["versions"][0]["name"] = "v2".into();
        note_stored_version(&mut moved);
        let causes: Vec<String> = changed(&stored, &moved).iter().map(ToString::to_string).collect();
        assert_eq!(causes[0], "spec.scope: Invalid value: \"Cluster\": field is immutable");
        assert!(causes[1].starts_with("status.storedVersions[0]: Invalid value: \"v1\": missing from spec.versions"));
        assert_eq!(moved["status"]["storedVersions"], json!(["v1", "v2"]));
    }
}
