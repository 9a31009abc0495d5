//! `connection_budget`: all connection pools of all replicas and releases need fewer connections than the database
//! allows.

use anyhow::{Context as _, bail, ensure};
use k8s_openapi::api::core::v1::{ConfigMap, Container, EnvVar, EnvVarSource, PodSpec, Secret};
use kube::Api;
use schemars::JsonSchema;
use serde::Deserialize;

use super::install;
use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use crate::deployed_release::DeployedRelease;
use kubernetes::call;
use suite::{CaseKind, CaseSpec, Parameters, Suite, Topology, definitions};

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "connection_budget",
        summary: "all pools of all replicas, over all releases, need fewer connections than the database allows. A \
                  pool size may come from a ConfigMap or a Secret; if it can't be found out, the case fails",
        needs: &[&install::CASE.kind],
        parameters: Parameters::of::<With>(),
        check: leaves_some,
        ..CaseKind::DEFAULT
    },
    run: |cx| passing(run(cx)),
};

/// The parameters of the case.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct With {
    /// Environment variable with the size of a replica's pool.
    #[schemars(schema_with = "definitions::variable")]
    variable: String,
    /// Number of connections that the database allows.
    #[schemars(range(min = 1, max = 1_000_000))]
    max_connections: u64,
    /// Number of these that are reserved for others.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1_000_000))]
    reserve: u64,
}

/// The pools of a workload.
struct Pools {
    workload: String,
    replicas: u64,
    /// The total of all containers of one replica.
    size: u64,
}

fn leaves_some(case: &CaseSpec, _: &Topology, _: &Suite) -> Result<(), String> {
    let With { reserve, max_connections: max, .. } = case.with()?;
    if reserve >= max {
        return Err(format!(
            "`reserve = {reserve}` leaves no connection of `max_connections = {max}`: make it smaller"
        ));
    }
    Ok(())
}

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let (deployed, with) = (cx.deployed()?, cx.with::<With>()?);
    let mut pools = Vec::new();
    for deployed_release in deployed.releases.iter() {
        pools.extend(pools_of(cx, deployed_release, &with.variable).await?);
    }
    ensure!(!pools.is_empty(), "no container has the variable {}; check `variable`", with.variable);
    let each: Vec<_> =
        pools.iter().map(|pool| format!("{} {} × {}", pool.workload, pool.replicas, pool.size)).collect();
    let sum = pools.iter().fold(0_u64, |sum, pool| sum.saturating_add(pool.replicas.saturating_mul(pool.size)));
    let (each, free) = (each.join(", "), with.max_connections.saturating_sub(with.reserve));
    ensure!(
        sum < free,
        "{each}: {sum} connections; the database allows {}, of which {} are reserved",
        with.max_connections,
        with.reserve
    );
    Ok(format!("{each}: {sum} of {free} connections"))
}

/// Returns the pools of each workload of a release that has any.
async fn pools_of(cx: &CaseContext, deployed_release: &DeployedRelease, variable: &str) -> anyhow::Result<Vec<Pools>> {
    let mut pools = Vec::new();
    for (kind, name) in deployed_release.workloads() {
        let template = deployed_release.object(kind, name).and_then(|object| object.pointer("/spec/template/spec"));
        let spec: PodSpec = serde_json::from_value(template.cloned().unwrap_or_default())
            .with_context(|| format!("the pods of {kind}/{name}"))?;
        // Init containers other than sidecars end before the pools are opened.
        let sidecars = spec.init_containers.iter().flatten().filter(|init| resources::pod_requests::is_sidecar(init));
        let mut size = 0;
        for container in spec.containers.iter().chain(sidecars) {
            let place = || format!("{} in container {} of {kind}/{name}", variable, container.name);
            size += size_of(cx, deployed_release, container, variable).await.with_context(place)?.unwrap_or(0);
        }
        if size > 0 {
            let now = deployed_release
                .watch
                .state()
                .rollout(kind, name)
                .map(|rollout| u64::from(rollout.wanted.unsigned_abs()));
            let replicas = now.unwrap_or(1).max(deployed_release.scales_to(kind, name).unwrap_or(0));
            pools.push(Pools { workload: format!("{}/{name}", deployed_release.release.key()), replicas, size });
        }
    }
    Ok(pools)
}

/// Returns the size of a container's pool, or `None` if it does not have the variable.
async fn size_of(
    cx: &CaseContext,
    deployed_release: &DeployedRelease,
    container: &Container,
    variable: &str,
) -> anyhow::Result<Option<u64>> {
    let source = Source { client: &cx.run.live()?.client, namespace: deployed_release.watch.namespace() };
    let Some(value) = source.value_of(container, variable).await? else { return Ok(None) };
    size(&value).map(Some)
}

/// Parses a pool's size. The value is not shown, since it may come from a Secret.
fn size(value: &str) -> anyhow::Result<u64> {
    let size = value.trim().parse::<u64>().ok().filter(|size| (1..=1_000_000).contains(size));
    size.context("its value is not a whole number from 1 to 1000000")
}

/// Looks up the values of variables.
struct Source<'a> {
    client: &'a kube::Client,
    namespace: &'a str,
}

impl Source<'_> {
    /// Returns a variable's value as kubelet sets it: the last entry counts, and `env` takes precedence over
    /// `envFrom`.
    async fn value_of(&self, container: &Container, variable: &str) -> anyhow::Result<Option<String>> {
        if let Some(one) = container.env.iter().flatten().rfind(|one| one.name == variable) {
            return self.value(one).await;
        }
        let mut found = None;
        for from in container.env_from.iter().flatten() {
            let Some(key) = variable.strip_prefix(from.prefix.as_deref().unwrap_or_default()) else { continue };
            if let Some(map) = &from.config_map_ref {
                found = self.config_map(&map.name, key, true).await?.or(found);
            }
            if let Some(secret) = &from.secret_ref {
                found = self.secret(&secret.name, key, true).await?.or(found);
            }
        }
        Ok(found)
    }

    async fn value(&self, variable: &EnvVar) -> anyhow::Result<Option<String>> {
        match (&variable.value_from, &variable.value) {
            (None, Some(value)) if value.contains("$(") => {
                bail!("its value refers to another variable: write the number itself")
            }
            (None, value) => Ok(Some(value.clone().unwrap_or_default())),
            (Some(EnvVarSource { config_map_key_ref: Some(key), .. }), _) => {
                self.config_map(&key.name, &key.key, key.optional.unwrap_or(false)).await
            }
            (Some(EnvVarSource { secret_key_ref: Some(key), .. }), _) => {
                self.secret(&key.name, &key.key, key.optional.unwrap_or(false)).await
            }
            (Some(_), _) => bail!("its value comes from the pod or a file: choose a variable that contains the number"),
        }
    }

    async fn config_map(&self, name: &str, key: &str, optional: bool) -> anyhow::Result<Option<String>> {
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), self.namespace);
        let map = call(&format!("getting ConfigMap/{name}"), api.get_opt(name)).await?;
        let value = map.and_then(|map| map.data?.remove(key));
        ensure!(value.is_some() || optional, "ConfigMap/{name} has no key {key}");
        Ok(value)
    }

    async fn secret(&self, name: &str, key: &str, optional: bool) -> anyhow::Result<Option<String>> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), self.namespace);
        let secret = call(&format!("getting Secret/{name}"), api.get_opt(name)).await?;
        let value = secret.and_then(|secret| secret.data?.remove(key));
        ensure!(value.is_some() || optional, "Secret/{name} has no key {key}");
        Ok(value.map(|value| String::from_utf8_lossy(&value.0).into_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_size_is_an_error() {
        assert_eq!(size("20").unwrap(), 20);
        assert_eq!(size(" 20\n").unwrap(), 20, "with a trailing newline, as from a file or a Secret");
        for value in ["", "0", "-1", "20%", "twenty", "1e3", "18446744073709551615"] {
            let error = size(value).unwrap_err().to_string();
            assert!(error.starts_with("its value is not a whole number"), "{value:?}: {error}");
        }
    }
}
