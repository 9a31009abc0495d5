//! The variables with which a container finds the services of its namespace.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Service, ServicePort};

use crate::client::Client;

/// Names and values.
pub(super) type Env = BTreeMap<String, String>;

/// Returns `NAME_SERVICE_HOST` and the like, for the API server's service and, with `links`, for all services of the
/// namespace that have an address.
pub(super) fn of(client: &Client, namespace: &str, links: bool) -> Env {
    let mut env = Env::new();
    if let Some(kubernetes) = client.get::<Service>("default", "kubernetes") {
        add(&mut env, &kubernetes);
    }
    if links {
        client.list::<Service>(Some(namespace)).iter().for_each(|service| add(&mut env, service));
    }
    env
}

fn add(env: &mut Env, service: &Service) {
    let Some(spec) = &service.spec else { return };
    let address = spec.cluster_ip.as_deref().filter(|ip| !ip.is_empty() && *ip != "None");
    let (Some(address), Some(ports)) = (address, spec.ports.as_deref().filter(|ports| !ports.is_empty())) else {
        return;
    };
    let name = variable(service.metadata.name.as_deref().unwrap_or_default());
    env.insert(format!("{name}_SERVICE_HOST"), address.to_owned());
    env.insert(format!("{name}_SERVICE_PORT"), ports[0].port.to_string());
    env.insert(format!("{name}_PORT"), url(address, &ports[0]));
    for port in ports {
        if let Some(port_name) = &port.name {
            env.insert(format!("{name}_SERVICE_PORT_{}", variable(port_name)), port.port.to_string());
        }
        let protocol = protocol(port);
        let prefix = format!("{name}_PORT_{}_{protocol}", port.port);
        env.insert(prefix.clone(), url(address, port));
        env.insert(format!("{prefix}_PROTO"), protocol.to_lowercase());
        env.insert(format!("{prefix}_PORT"), port.port.to_string());
        env.insert(format!("{prefix}_ADDR"), address.to_owned());
    }
}

fn url(address: &str, port: &ServicePort) -> String {
    format!("{}://{address}:{}", protocol(port).to_lowercase(), port.port)
}

fn protocol(port: &ServicePort) -> String {
    port.protocol.clone().unwrap_or_else(|| "TCP".to_owned())
}

fn variable(name: &str) -> String {
    name.to_uppercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_service_becomes_variables_and_a_headless_one_does_not() {
        let spec =
            json!({"clusterIP": "10.96.0.7", "ports": [{"name": "http", "port": 80}, {"name": "raft", "port": 9001}]});
        let service = json!({"metadata": {"name": "my-app"}, "spec": spec});
        let mut env = Env::new();
        add(&mut env, &serde_json::from_value(service).unwrap());
        assert_eq!(env["MY_APP_SERVICE_HOST"], "10.96.0.7");
        assert_eq!(env["MY_APP_SERVICE_PORT"], "80");
        assert_eq!(env["MY_APP_SERVICE_PORT_RAFT"], "9001");
        assert_eq!(env["MY_APP_PORT"], "tcp://10.96.0.7:80");
        assert_eq!(env["MY_APP_PORT_9001_TCP_ADDR"], "10.96.0.7");
        assert_eq!(env.len(), 13);
        let headless = json!({"metadata": {"name": "h"}, "spec": {"clusterIP": "None", "ports": [{"port": 80}]}});
        let mut env = Env::new();
        add(&mut env, &serde_json::from_value(headless).unwrap());
        assert!(env.is_empty());
    }
}
