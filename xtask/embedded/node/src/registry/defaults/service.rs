//! Services and endpoints.

use serde_json::{Value, json};

use crate::registry::value::{empty, fill, is_missing, items_mut, text};

/// Fills in a Service, except addresses and node ports, which the allocator assigns.
pub fn service(service: &mut Value) {
    fill(service, "spec", empty());
    let spec = &mut service["spec"];
    fill(spec, "sessionAffinity", "None");
    fill(spec, "type", "ClusterIP");
    if text(spec, "sessionAffinity") == "ClientIP"
        && spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"].is_null()
    {
        spec["sessionAffinityConfig"] = json!({"clientIP": {"timeoutSeconds": 10800}});
    }
    for port in items_mut(spec, "ports") {
        fill(port, "protocol", "TCP");
        if is_missing(&port["targetPort"]) || port["targetPort"] == 0 {
            port["targetPort"] = port["port"].clone();
        }
    }
    let kind = text(spec, "type").to_owned();
    if kind == "ExternalName" {
        return;
    }
    fill(spec, "internalTrafficPolicy", "Cluster");
    fill(spec, "ipFamilies", json!(["IPv4"]));
    fill(spec, "ipFamilyPolicy", "SingleStack");
    if matches!(kind.as_str(), "NodePort" | "LoadBalancer") {
        fill(spec, "externalTrafficPolicy", "Cluster");
    }
    if kind == "LoadBalancer" {
        fill(spec, "allocateLoadBalancerNodePorts", true);
    }
}

/// Fills in Endpoints.
pub fn endpoints(endpoints: &mut Value) {
    for subset in items_mut(endpoints, "subsets") {
        for port in items_mut(subset, "ports") {
            fill(port, "protocol", "TCP");
        }
    }
}

/// Fills in an EndpointSlice.
pub fn endpoint_slice(slice: &mut Value) {
    for port in items_mut(slice, "ports") {
        fill(port, "protocol", "TCP");
        if port["name"].is_null() {
            port["name"] = "".into();
        }
    }
}
