//! The downward API: `fieldRef` and `resourceFieldRef`.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use k8s_openapi::api::core::v1::{Container, Pod, ResourceFieldSelector};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use resources::quantity;

/// Addresses that may be missing in the pod's stored status.
#[derive(Debug, Clone, Copy)]
pub(super) struct Addresses {
    pub pod: Option<Ipv4Addr>,
    pub host: Ipv4Addr,
}

/// Returns the value of a `fieldPath`, or why there is none.
pub(super) fn field(pod: &Pod, path: &str, addresses: Addresses) -> Result<String, String> {
    let (metadata, spec) = (&pod.metadata, pod.spec.as_ref());
    if let Some((map, key)) = subscript(path) {
        let of = if map == "metadata.labels" { &metadata.labels } else { &metadata.annotations };
        return Ok(of.iter().flatten().find(|(name, _)| *name == key).map(|(_, v)| v.clone()).unwrap_or_default());
    }
    let value = match path {
        "metadata.name" => metadata.name.clone(),
        "metadata.namespace" => metadata.namespace.clone(),
        "metadata.uid" => metadata.uid.clone(),
        "metadata.labels" => Some(lines(metadata.labels.as_ref())),
        "metadata.annotations" => Some(lines(metadata.annotations.as_ref())),
        "spec.nodeName" => spec.and_then(|s| s.node_name.clone()),
        "spec.serviceAccountName" => spec.and_then(|s| s.service_account_name.clone()),
        "status.hostIP" | "status.hostIPs" => Some(addresses.host.to_string()),
        "status.podIP" | "status.podIPs" => addresses.pod.map(|ip| ip.to_string()),
        _ => return Err(format!("unsupported fieldPath: {path}")),
    };
    Ok(value.unwrap_or_default())
}

/// Splits `metadata.labels['key']` into map and key.
fn subscript(path: &str) -> Option<(&str, &str)> {
    let (map, key) = path.strip_suffix("']")?.split_once("['")?;
    ["metadata.labels", "metadata.annotations"].contains(&map).then_some((map, key))
}

/// Formats `key="value"` lines, as in files of downward volumes.
fn lines(map: Option<&BTreeMap<String, String>>) -> String {
    let lines = map.into_iter().flatten().map(|(key, value)| format!("{key}={value:?}"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns the value of a `resourceFieldRef` of a container; an unset limit is the node's capacity.
pub(super) fn resource(
    containers: &[Container],
    default: Option<&Container>,
    selector: &ResourceFieldSelector,
    node: &BTreeMap<String, Quantity>,
) -> Result<String, String> {
    let named = selector.container_name.as_deref().filter(|name| !name.is_empty());
    let container = match named {
        Some(name) => containers.iter().find(|c| c.name == name),
        None => default,
    };
    let container = container.ok_or_else(|| format!("container {} not found", named.unwrap_or_default()))?;
    let unsupported = || format!("unsupported container resource : {}", selector.resource);
    let (side, name) = selector.resource.split_once('.').ok_or_else(unsupported)?;
    let resources = container.resources.as_ref();
    let limit = || resources.and_then(|r| r.limits.as_ref()).and_then(|limits| limits.get(name));
    let amount = match side {
        "limits" => limit().or_else(|| node.get(name)),
        "requests" => resources.and_then(|r| r.requests.as_ref()).and_then(|r| r.get(name)).or_else(limit),
        _ => return Err(unsupported()),
    };
    let divisor = selector.divisor.as_ref().and_then(quantity::milli).filter(|divisor| *divisor > 0).unwrap_or(1000);
    let amount = amount.and_then(quantity::milli).unwrap_or(0);
    Ok((amount / divisor + i64::from(amount % divisor > 0)).to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_found() {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "p", "namespace": "n", "labels": {"app": "a", "x": "say \"hi\""}},
            "spec": {"nodeName": "node", "containers": []},
        }))
        .unwrap();
        let addresses = Addresses { pod: Some(Ipv4Addr::new(10, 244, 0, 5)), host: Ipv4Addr::new(10, 244, 0, 1) };
        let of = |path| field(&pod, path, addresses);
        assert_eq!(of("metadata.name").unwrap(), "p");
        assert_eq!(of("status.podIP").unwrap(), "10.244.0.5");
        assert_eq!(of("metadata.labels['app']").unwrap(), "a");
        assert_eq!(of("metadata.labels['none']").unwrap(), "");
        assert_eq!(of("metadata.labels").unwrap(), "app=\"a\"\nx=\"say \\\"hi\\\"\"");
        assert_eq!(of("spec.nope").unwrap_err(), "unsupported fieldPath: spec.nope");
    }

    #[test]
    fn resources_are_divided_and_rounded_up() {
        let resources = json!({"limits": {"cpu": "250m"}, "requests": {"memory": "64Mi"}});
        let main: Container = serde_json::from_value(json!({"name": "main", "resources": resources})).unwrap();
        let node = BTreeMap::from([("memory".to_owned(), Quantity("1Gi".to_owned()))]);
        let of = |resource: &str, divisor: Option<&str>| {
            let divisor = divisor.map(|d| Quantity(d.to_owned()));
            let selector = ResourceFieldSelector { container_name: None, divisor, resource: resource.to_owned() };
            super::resource(&[], Some(&main), &selector, &node).unwrap()
        };
        assert_eq!(of("limits.cpu", None), "1");
        assert_eq!(of("limits.cpu", Some("1m")), "250");
        assert_eq!(of("requests.cpu", Some("1m")), "250");
        assert_eq!(of("requests.memory", Some("1Mi")), "64");
        assert_eq!(of("limits.memory", Some("1Mi")), "1024");
    }
}
