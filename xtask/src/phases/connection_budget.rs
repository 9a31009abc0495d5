//! `connection_budget`: the connection pools of all replicas of all releases together fit what the database takes.

use anyhow::ensure;
use serde::Deserialize;
use serde_json::Value;

use super::context::Cx;
use crate::placed::Placed;

/// Its parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct With {
    /// The environment variable that sets the size of a replica's pool.
    variable: String,
    /// How many connections the database takes.
    max_connections: u64,
    /// How many of these are for others.
    #[serde(default)]
    reserve: u64,
}

/// Runs the case.
pub fn run(cx: &Cx) -> anyhow::Result<String> {
    let (stage, with) = (cx.stage()?, cx.with::<With>()?);
    let pools: Vec<_> = stage.releases.iter().flat_map(|placed| pools(placed, &with.variable)).collect();
    ensure!(!pools.is_empty(), "no container has the variable {}: there is nothing to add up", with.variable);
    let told: Vec<_> = pools.iter().map(|(name, replicas, size)| format!("{name} {replicas} × {size}")).collect();
    let sum: u64 = pools.iter().map(|(_, replicas, size)| replicas * size).sum();
    let (told, free) = (told.join(", "), with.max_connections.saturating_sub(with.reserve));
    ensure!(
        sum < free,
        "{told}: {sum} connections; the database takes {}, {} of them for others",
        with.max_connections,
        with.reserve
    );
    Ok(format!("{told}: {sum} of {free} connections"))
}

/// Each workload that has pools: its name, its replicas, the size of one replica's pools.
fn pools(placed: &Placed, variable: &str) -> Vec<(String, u64, u64)> {
    let state = placed.watch.state();
    let of = |(kind, name): (&str, &str)| {
        let object = placed.object(kind, name)?;
        let containers = object.pointer("/spec/template/spec/containers")?.as_array()?;
        let sizes = containers.iter().filter_map(|container| value_of(container, variable));
        let size: u64 = sizes.sum();
        let replicas = state.rollout(kind, name).map_or(1, |rollout| u64::from(rollout.wanted.unsigned_abs()));
        (size > 0).then(|| (format!("{}/{name}", placed.release.key()), replicas, size))
    };
    placed.workloads().into_iter().filter_map(of).collect()
}

fn value_of(container: &Value, variable: &str) -> Option<u64> {
    let found = container["env"].as_array()?.iter().find(|one| one["name"] == variable)?;
    found["value"].as_str()?.parse().ok()
}
