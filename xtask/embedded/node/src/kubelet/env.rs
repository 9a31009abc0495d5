//! A container's environment: from services, from configuration, from its own definition.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ConfigMap, Container, EnvFromSource, EnvVar, EnvVarSource, Pod, Secret};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::downward::{self, Addresses};
use super::expand::expand;
use super::service_env::{self, Env};
use crate::client::Client;

/// The sources of an environment.
pub(super) struct Sources<'a> {
    pub client: &'a Client,
    pub pod: &'a Pod,
    pub addresses: Addresses,
    /// The node's capacity.
    pub node: &'a BTreeMap<String, Quantity>,
}

/// Returns the environment of a container, or what is missing in kubelet's words.
pub(super) fn environment(sources: &Sources, container: &Container) -> Result<Env, String> {
    let namespace = sources.namespace();
    let links = sources.pod.spec.as_ref().and_then(|spec| spec.enable_service_links).unwrap_or(true);
    let services = service_env::of(sources.client, namespace, links);
    let mut env = Env::new();
    for source in container.env_from.iter().flatten() {
        env.extend(sources.all_of(source)?);
    }
    for variable in container.env.iter().flatten() {
        if let Some(value) = sources.value(container, variable, &env, &services)? {
            env.insert(variable.name.clone(), value);
        }
    }
    for (name, value) in services {
        env.entry(name).or_insert(value);
    }
    Ok(env)
}

impl Sources<'_> {
    fn namespace(&self) -> &str {
        self.pod.metadata.namespace.as_deref().unwrap_or_default()
    }

    fn all_of(&self, source: &EnvFromSource) -> Result<Env, String> {
        let prefix = source.prefix.as_deref().unwrap_or_default();
        let data = if let Some(of) = &source.config_map_ref {
            self.config_map(&of.name, of.optional)?.and_then(|map| map.data).unwrap_or_default()
        } else if let Some(of) = &source.secret_ref {
            self.secret(&of.name, of.optional)?.map(|secret| texts(&secret)).unwrap_or_default()
        } else {
            Env::new()
        };
        Ok(data.into_iter().map(|(key, value)| (format!("{prefix}{key}"), value)).collect())
    }

    fn value(
        &self,
        container: &Container,
        variable: &EnvVar,
        env: &Env,
        services: &Env,
    ) -> Result<Option<String>, String> {
        if let Some(from) = &variable.value_from {
            return self.value_from(container, from);
        }
        let known = |name: &str| env.get(name).or_else(|| services.get(name)).cloned();
        Ok(Some(expand(variable.value.as_deref().unwrap_or_default(), known)))
    }

    fn value_from(&self, container: &Container, from: &EnvVarSource) -> Result<Option<String>, String> {
        if let Some(field) = &from.field_ref {
            downward::field(self.pod, &field.field_path, self.addresses).map(Some)
        } else if let Some(resource) = &from.resource_field_ref {
            let containers = self.pod.spec.as_ref().map(|spec| spec.containers.as_slice()).unwrap_or_default();
            downward::resource(containers, Some(container), resource, self.node).map(Some)
        } else if let Some(of) = &from.config_map_key_ref {
            let data = self.config_map(&of.name, of.optional)?.map(|map| map.data.unwrap_or_default());
            self.key("ConfigMap", &of.name, data, &of.key, of.optional)
        } else if let Some(of) = &from.secret_key_ref {
            let data = self.secret(&of.name, of.optional)?.map(|secret| texts(&secret));
            self.key("Secret", &of.name, data, &of.key, of.optional)
        } else {
            Err("the environment variable has an unsupported source".to_owned())
        }
    }

    fn key(
        &self,
        kind: &str,
        name: &str,
        data: Option<Env>,
        key: &str,
        optional: Option<bool>,
    ) -> Result<Option<String>, String> {
        let value = data.and_then(|mut data| data.remove(key));
        if value.is_none() && optional != Some(true) {
            return Err(format!("couldn't find key {key} in {kind} {}/{name}", self.namespace()));
        }
        Ok(value)
    }

    fn config_map(&self, name: &str, optional: Option<bool>) -> Result<Option<ConfigMap>, String> {
        let found = self.client.get(self.namespace(), name);
        if found.is_none() && optional != Some(true) {
            return Err(format!("configmap \"{name}\" not found"));
        }
        Ok(found)
    }

    fn secret(&self, name: &str, optional: Option<bool>) -> Result<Option<Secret>, String> {
        let found = self.client.get(self.namespace(), name);
        if found.is_none() && optional != Some(true) {
            return Err(format!("secret \"{name}\" not found"));
        }
        Ok(found)
    }
}

/// Returns a secret's values as text.
fn texts(secret: &Secret) -> Env {
    let data = secret.data.iter().flatten();
    data.map(|(key, value)| (key.clone(), String::from_utf8_lossy(&value.0).into_owned())).collect()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use serde_json::json;

    use super::*;
    use crate::registry::Registry;

    fn of(client: &Client, container: serde_json::Value) -> Result<Env, String> {
        let container: Container = serde_json::from_value(container).unwrap();
        let pod = json!({"metadata": {"name": "p", "namespace": "n"}, "spec": {"containers": [&container]}});
        let pod: Pod = serde_json::from_value(pod).unwrap();
        let addresses = Addresses { pod: None, host: Ipv4Addr::LOCALHOST };
        environment(&Sources { client, pod: &pod, addresses, node: &BTreeMap::new() }, &container)
    }

    fn client() -> Client {
        let client = Client::new(Registry::new(), "kubelet");
        let map = json!({"metadata": {"namespace": "n", "name": "map"}, "data": {"a": "1", "b": "2"}});
        client.create::<ConfigMap>(&serde_json::from_value(map).unwrap()).unwrap();
        let secret = json!({"metadata": {"namespace": "n", "name": "secret"}, "data": {"b": "c2VjcmV0"}});
        client.create::<Secret>(&serde_json::from_value(secret).unwrap()).unwrap();
        client
    }

    #[test]
    fn later_variables_win_and_may_refer_to_earlier_ones() {
        let env = of(
            &client(),
            json!({"name": "main",
                "envFrom": [{"configMapRef": {"name": "map"}}, {"prefix": "S_", "secretRef": {"name": "secret"}}],
                "env": [{"name": "a", "value": "own"}, {"name": "c", "value": "$(a)-$(S_b)-$(later)"},
                    {"name": "later", "value": "x"}, {"name": "me", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]}),
        )
        .unwrap();
        assert_eq!(env["a"], "own");
        assert_eq!(env["b"], "2");
        assert_eq!(env["c"], "own-secret-$(later)");
        assert_eq!(env["me"], "p");
    }

    #[test]
    fn a_missing_source_is_named_unless_it_is_optional() {
        let from = |source: serde_json::Value| {
            of(&client(), json!({"name": "main", "env": [{"name": "A", "valueFrom": source}]}))
        };
        let none = from(json!({"configMapKeyRef": {"name": "none", "key": "a"}}));
        assert_eq!(none.unwrap_err(), "configmap \"none\" not found");
        let key = from(json!({"secretKeyRef": {"name": "secret", "key": "a"}}));
        assert_eq!(key.unwrap_err(), "couldn't find key a in Secret n/secret");
        let optional = from(json!({"configMapKeyRef": {"name": "none", "key": "a", "optional": true}}));
        assert!(!optional.unwrap().contains_key("A"));
    }
}
