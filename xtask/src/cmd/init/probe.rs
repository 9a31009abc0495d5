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
    /// In a way that a suite file can't describe: `tcpSocket` or `grpc`.
    Other(&'static str),
}

/// Returns the probe of a workload's container: that of its readiness, if it has one.
pub fn of(workload: &Workload) -> Option<Probe> {
    let container = container(&workload.spec, &workload.container)?;
    PROBES.iter().find_map(|probe| asked(container, &container[*probe]))
}

fn asked(container: &Value, probe: &Value) -> Option<Probe> {
    if let Some(command) = probe.pointer("/exec/command").and_then(Value::as_array) {
        let command: Vec<_> = command.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        let is_plain = command.iter().all(|word| is_plain(word));
        return Some(if is_plain { Probe::Exec(command) } else { Probe::Other("command with `${`") });
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

/// Returns whether a suite file takes a word of a command as it is: `${` begins a placeholder there.
fn is_plain(word: &str) -> bool {
    !word.contains("${") && !word.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t'))
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
    fn a_command_with_placeholders_of_its_own_is_left_out() {
        let exec = |word: &str| json!({ "readinessProbe": { "exec": { "command": ["sh", "-c", word] } } });
        let words = |word: &str| Some(Probe::Exec(["sh", "-c", word].map(str::to_owned).to_vec()));
        assert_eq!(probe_of(&exec("a $USER\n")), words("a $USER\n"));
        assert_eq!(probe_of(&exec("a ${USER}")), Some(Probe::Other("command with `${`")));
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
