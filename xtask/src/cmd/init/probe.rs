//! The probe that kubelet really asks: its port, by name or number, and its path.

use serde_json::Value;

use super::pods::{Workload, container};

/// The probes of a container that say whether it works, the most telling first.
const PROBES: [&str; 3] = ["readinessProbe", "livenessProbe", "startupProbe"];

/// How kubelet asks an application whether it works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// By an HTTP request.
    Http { port: u64, path: String, is_https: bool },
    /// By a command.
    Exec(Vec<String>),
    /// In another way: `tcpSocket` or `grpc`.
    Other(&'static str),
}

/// Returns the probe of a workload's container: that of its readiness, if it has one.
pub fn of(workload: &Workload) -> Option<Probe> {
    let container = container(&workload.spec, &workload.container)?;
    PROBES.iter().find_map(|probe| asked(container, &container[*probe]))
}

fn asked(container: &Value, probe: &Value) -> Option<Probe> {
    if let Some(command) = probe.pointer("/exec/command").and_then(Value::as_array) {
        return Some(Probe::Exec(command.iter().filter_map(Value::as_str).map(str::to_owned).collect()));
    }
    if let Some(other) = ["tcpSocket", "grpc"].into_iter().find(|kind| probe[*kind].is_object()) {
        return Some(Probe::Other(other));
    }
    let get = probe.get("httpGet").filter(|get| get.is_object())?;
    let path = get["path"].as_str().unwrap_or_default();
    Some(Probe::Http {
        port: number(container, &get["port"])?,
        path: format!("/{}", path.trim_start_matches('/')),
        is_https: get["scheme"] == "HTTPS",
    })
}

/// Returns the number of a port, which may be given by the name that the container gives it.
fn number(container: &Value, port: &Value) -> Option<u64> {
    let named = |name: &str| {
        let found = container["ports"].as_array()?.iter().find(|port| port["name"] == name)?;
        found["containerPort"].as_u64()
    };
    port.as_u64().or_else(|| port.as_str().and_then(|text| text.parse().ok().or_else(|| named(text))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn probe_of(more: &Value) -> Option<Probe> {
        let mut container = json!({ "name": "app", "ports": [
            { "name": "api", "containerPort": 8080 }, { "name": "metrics", "containerPort": 9090 },
        ] });
        container.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let spec = json!({ "containers": [container] });
        of(&Workload { container: "app".to_owned(), spec, ..Workload::default() })
    }

    fn http(port: u64, path: &str) -> Probe {
        Probe::Http { port, path: path.to_owned(), is_https: false }
    }

    #[test]
    fn a_probe_s_port_may_have_a_name_and_need_not_be_the_first() {
        let get = |port: Value| json!({ "readinessProbe": { "httpGet": { "path": "/ready", "port": port } } });
        assert_eq!(probe_of(&get(json!("metrics"))), Some(http(9090, "/ready")));
        assert_eq!(probe_of(&get(json!(8081))), Some(http(8081, "/ready")));
        assert_eq!(probe_of(&get(json!("8081"))), Some(http(8081, "/ready")));
        assert_eq!(probe_of(&get(json!("unknown"))), None);
    }

    #[test]
    fn readiness_counts_more_than_liveness() {
        let (ready, live) = (json!({ "exec": { "command": ["pg_isready"] } }), json!({ "httpGet": { "port": "api" } }));
        assert_eq!(probe_of(&json!({ "livenessProbe": live })), Some(http(8080, "/")));
        let both = json!({ "livenessProbe": live, "readinessProbe": ready });
        assert_eq!(probe_of(&both), Some(Probe::Exec(vec!["pg_isready".to_owned()])));
        assert_eq!(probe_of(&json!({ "readinessProbe": { "grpc": { "port": 1 } } })), Some(Probe::Other("grpc")));
        assert_eq!(probe_of(&json!({})), None);
    }
}
