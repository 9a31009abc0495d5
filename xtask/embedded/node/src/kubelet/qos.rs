//! The quality-of-service class that follows from a pod's resources.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, PodSpec};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use resources::quantity;

type Resources = BTreeMap<String, Quantity>;

/// Returns `Guaranteed`, `Burstable` or `BestEffort`.
pub fn class(spec: &PodSpec) -> &'static str {
    let containers = || spec.containers.iter().chain(spec.init_containers.iter().flatten());
    if containers().all(is_unbounded) {
        "BestEffort"
    } else if containers().all(is_guaranteed) {
        "Guaranteed"
    } else {
        "Burstable"
    }
}

fn sides(container: &Container) -> (Option<&Resources>, Option<&Resources>) {
    let resources = container.resources.as_ref();
    (resources.and_then(|r| r.requests.as_ref()), resources.and_then(|r| r.limits.as_ref()))
}

fn amount(resources: Option<&Resources>, name: &str) -> Option<i64> {
    resources?.get(name).and_then(quantity::milli).filter(|amount| *amount > 0)
}

fn is_unbounded(container: &Container) -> bool {
    let (requests, limits) = sides(container);
    ["cpu", "memory"].iter().all(|name| amount(requests, name).is_none() && amount(limits, name).is_none())
}

fn is_guaranteed(container: &Container) -> bool {
    let (requests, limits) = sides(container);
    ["cpu", "memory"].iter().all(|name| {
        let limit = amount(limits, name);
        limit.is_some() && amount(requests, name).is_none_or(|request| Some(request) == limit)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn class_of(resources: &[serde_json::Value]) -> &'static str {
        let containers: Vec<_> = resources.iter().map(|r| json!({"name": "c", "resources": r})).collect();
        class(&serde_json::from_value(json!({ "containers": containers })).unwrap())
    }

    #[test]
    fn the_weakest_container_determines_the_class() {
        let full = json!({"limits": {"cpu": "1", "memory": "1Gi"}});
        assert_eq!(class_of(&[json!({})]), "BestEffort");
        assert_eq!(class_of(&[json!({"limits": {"memory": "24Mi"}})]), "Burstable");
        assert_eq!(class_of(std::slice::from_ref(&full)), "Guaranteed");
        assert_eq!(class_of(&[full.clone(), json!({})]), "Burstable");
        let less = json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m", "memory": "1Gi"}});
        assert_eq!(class_of(&[full, less]), "Burstable");
    }
}
