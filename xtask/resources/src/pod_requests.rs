//! What a pod requests, by the scheduler's formula (`PodRequests` in Kubernetes' component helpers).

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, PodSpec, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::quantity;

/// The amount of each resource, in thousandths.
pub type Amounts = BTreeMap<String, i64>;

/// Returns the most that a pod needs at any time. Its containers and sidecars run together. Before that, init containers
/// run one after another, each beside the sidecars started before it. A request of the pod as a whole replaces those of
/// its containers, and the runtime's overhead is added.
pub fn of(spec: &PodSpec) -> Amounts {
    let mut running = Amounts::new();
    spec.containers.iter().for_each(|container| add(&mut running, &of_container(container)));
    let (mut sidecars, mut starting) = (Amounts::new(), Amounts::new());
    for init in spec.init_containers.iter().flatten() {
        let own = of_container(init);
        let mut at_once = sidecars.clone();
        add(&mut at_once, &own);
        raise(&mut starting, &at_once);
        if is_sidecar(init) {
            add(&mut running, &own);
            sidecars = at_once;
        }
    }
    raise(&mut running, &starting);
    running.extend(spec.resources.as_ref().map(|whole| of_pod(whole, &running)).unwrap_or_default());
    add(&mut running, &spec.overhead.as_ref().map(parse).unwrap_or_default());
    running
}

/// Returns whether an init container is a sidecar, which keeps running beside the containers.
pub fn is_sidecar(init: &Container) -> bool {
    init.restart_policy.as_deref() == Some("Always")
}

/// Returns a container's requests. A limit without a request is also the request.
fn of_container(container: &Container) -> Amounts {
    let Some(resources) = &container.resources else { return Amounts::new() };
    let mut amounts = resources.limits.as_ref().map(parse).unwrap_or_default();
    amounts.extend(resources.requests.as_ref().map(parse).unwrap_or_default());
    amounts
}

/// Returns what a pod requests as a whole. Its limits count only for resources that neither it nor a container requests.
fn of_pod(whole: &ResourceRequirements, containers: &Amounts) -> Amounts {
    let mut amounts = whole.limits.as_ref().map(parse).unwrap_or_default();
    amounts.retain(|name, _| !containers.contains_key(name));
    amounts.extend(whole.requests.as_ref().map(parse).unwrap_or_default());
    amounts
}

/// Adds to a sum.
pub fn add(sum: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        let total = sum.entry(name.clone()).or_default();
        *total = total.saturating_add(*amount);
    }
}

fn raise(most: &mut Amounts, other: &Amounts) {
    for (name, amount) in other {
        let most = most.entry(name.clone()).or_default();
        *most = (*most).max(*amount);
    }
}

/// Returns quantities in thousandths. Malformed ones are left out: the API server rejects them.
pub fn parse(quantities: &BTreeMap<String, Quantity>) -> Amounts {
    quantities.iter().filter_map(|(name, quantity)| Some((name.clone(), quantity::milli(quantity)?))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn container(cpu: &str) -> Value {
        json!({ "name": "c", "resources": { "requests": { "cpu": cpu } } })
    }

    fn sidecar(cpu: &str) -> Value {
        let mut sidecar = container(cpu);
        sidecar["restartPolicy"] = "Always".into();
        sidecar
    }

    fn cpu(spec: &Value) -> i64 {
        of(&serde_json::from_value(spec.clone()).unwrap()).get("cpu").copied().unwrap_or_default()
    }

    #[test]
    fn containers_run_together_and_init_containers_one_after_another() {
        let main = json!([container("200m"), container("300m")]);
        assert_eq!(cpu(&json!({ "containers": main })), 500);
        let init = json!([container("100m"), container("400m")]);
        assert_eq!(cpu(&json!({ "containers": main, "initContainers": init })), 500, "the largest is less");
        let init = json!([container("900m"), container("400m")]);
        assert_eq!(cpu(&json!({ "containers": main, "initContainers": init })), 900, "not their sum");
    }

    #[test]
    fn sidecars_add_up_with_the_containers_and_with_what_starts_after_them() {
        let main = json!([container("200m")]);
        let spec = |init: Value| json!({ "containers": main, "initContainers": init });
        assert_eq!(cpu(&spec(json!([sidecar("100m"), sidecar("50m")]))), 350);
        assert_eq!(cpu(&spec(json!([container("300m"), sidecar("100m")]))), 300, "it starts after the other");
        assert_eq!(cpu(&spec(json!([sidecar("100m"), container("300m")]))), 400, "it runs beside the other");
        assert_eq!(cpu(&spec(json!([sidecar("100m"), container("150m"), sidecar("100m")]))), 400);
    }

    #[test]
    fn overhead_the_pod_s_own_requests_and_limits_count() {
        let limited = json!({ "name": "c", "resources": { "limits": { "cpu": "700m", "memory": "1Ki" } } });
        assert_eq!(cpu(&json!({ "containers": [limited] })), 700, "a limit is a request");
        let both =
            json!({ "name": "c", "resources": { "limits": { "cpu": "700m" }, "requests": { "memory": "1Ki" } } });
        assert_eq!(cpu(&json!({ "containers": [both] })), 700, "each resource separately");
        let whole = json!({ "containers": [container("100m")], "resources": { "requests": { "cpu": "1" } } });
        assert_eq!(cpu(&whole), 1000);
        let whole = json!({ "containers": [container("100m")], "resources": { "limits": { "cpu": "1" } } });
        assert_eq!(cpu(&whole), 100, "the limit does not replace the container's request");
        assert_eq!(cpu(&json!({ "containers": [container("100m")], "overhead": { "cpu": "250m" } })), 350);
    }
}
