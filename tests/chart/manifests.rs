//! Rendered objects, and a short notation for places in them.

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, PodSpec, Secret, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// All objects of one rendering.
pub struct Manifests(pub Vec<Value>);

impl Manifests {
    pub fn parse(yaml: &str) -> Manifests {
        let documents: Vec<Value> = serde_saphyr::from_multiple(yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"));
        Manifests(documents.into_iter().filter(|document| !document.is_null()).collect())
    }

    /// `kind/name` of every object.
    pub fn ids(&self) -> Vec<String> {
        self.0.iter().map(|object| format!("{}/{}", text(&object["kind"]), text(&object["metadata"]["name"]))).collect()
    }

    /// The only object of this kind, or the one with this name if written as `kind/name`.
    pub fn find(&self, id: &str) -> Option<&Value> {
        let (kind, name) = id.split_once('/').map_or((id, None), |(kind, name)| (kind, Some(name)));
        let mut found = self
            .0
            .iter()
            .filter(|object| object["kind"] == kind && name.is_none_or(|name| object["metadata"]["name"] == name));
        let first = found.next();
        assert!(found.next().is_none(), "more than one {id}: {:?}", self.ids());
        first
    }

    pub fn get(&self, id: &str) -> &Value {
        self.find(id).unwrap_or_else(|| panic!("no {id} among {:?}", self.ids()))
    }

    /// Returns every pod that these objects create, with the kind of its creator.
    pub fn pods(&self) -> Vec<(String, PodSpec)> {
        let specs = self.0.iter().filter_map(|object| match text(&object["kind"]) {
            "Deployment" | "StatefulSet" | "Job" => Some((object, at(object, "spec.template.spec"))),
            "Pod" => Some((object, &object["spec"])),
            _ => None,
        });
        specs
            .map(|(object, spec)| (text(&object["kind"]).into(), serde_json::from_value(spec.clone()).unwrap()))
            .collect()
    }
}

/// Returns the value at a place like `spec.containers[caesium].env[CAESIUM_PORT].value`: in brackets the name of a
/// list's item, its index, or a key that contains a dot. Null if there is none.
pub fn at<'a>(object: &'a Value, place: &str) -> &'a Value {
    let steps = place.split_inclusive(']').flat_map(|part| match part.split_once('[') {
        Some((keys, bracket)) => keys.split('.').chain([bracket.trim_end_matches(']')]).collect(),
        None => part.split('.').collect::<Vec<_>>(),
    });
    steps.filter(|step| !step.is_empty()).fold(object, step_into)
}

fn step_into<'a>(value: &'a Value, step: &str) -> &'a Value {
    const NULL: &Value = &Value::Null;
    match value {
        Value::Array(items) => match step.parse::<usize>() {
            Ok(index) => items.get(index).unwrap_or(NULL),
            Err(_) => items.iter().find(|item| item["name"] == step).unwrap_or(NULL),
        },
        other => other.get(step).unwrap_or(NULL),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Fails if an object has a field that its kind lacks: parsing it as that kind would drop the field.
pub fn check_fields(object: &Value) {
    match text(&object["kind"]) {
        "StatefulSet" => same_after_reading::<StatefulSet>(object),
        "Deployment" => same_after_reading::<Deployment>(object),
        "HorizontalPodAutoscaler" => same_after_reading::<HorizontalPodAutoscaler>(object),
        "Service" => same_after_reading::<Service>(object),
        "ConfigMap" => same_after_reading::<ConfigMap>(object),
        "Secret" => same_after_reading::<Secret>(object),
        "ServiceAccount" => same_after_reading::<ServiceAccount>(object),
        "PodDisruptionBudget" => same_after_reading::<PodDisruptionBudget>(object),
        "Ingress" => same_after_reading::<Ingress>(object),
        "Pod" => same_after_reading::<Pod>(object),
        "Job" => same_after_reading::<Job>(object),
        "PersistentVolumeClaim" => same_after_reading::<PersistentVolumeClaim>(object),
        kind => panic!("no type for {kind} in this test"),
    }
}

fn same_after_reading<T: Serialize + DeserializeOwned>(object: &Value) {
    let read: T = serde_json::from_value(object.clone()).unwrap_or_else(|error| panic!("{error}: {object:#}"));
    assert_eq!(serde_json::to_value(read).unwrap(), *object, "a field was lost in reading");
}

#[test]
fn places_are_found_by_key_name_and_index() {
    let object = serde_json::json!({"a": [{"name": "x", "b.c": 1}, {"name": "y", "b": {"c": 2}}]});
    assert_eq!(at(&object, "a[x][b.c]"), 1);
    assert_eq!(at(&object, "a[1].b.c"), 2);
    assert_eq!(at(&object, "a[z].b"), &Value::Null);
}

#[test]
#[should_panic(expected = "a field was lost")]
fn an_unknown_field_is_found() {
    check_fields(&serde_json::json!({"apiVersion": "v1", "kind": "Service", "metadata": {}, "spec": {"typ": "x"}}));
}
