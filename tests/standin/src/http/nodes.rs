//! `GET /v1/system/nodes`: the members as the queried node sees them.

use axum::extract::State;
use axum::response::Json;
use serde_json::{Value, json};

use super::Api;

/// Returns the members with their roles, and the seeds that are names with the role `unknown`.
pub async fn nodes(State(api): State<Api>) -> Json<Vec<Value>> {
    let members = api.node.members();
    let rows = members.iter().map(|member| (member.address.as_str(), member.role.name()));
    let is_name = |seed: &&String| seed.parse::<std::net::SocketAddr>().is_err();
    let seeds = api.node.config.peers.iter().filter(is_name).map(|seed| (seed.as_str(), "unknown"));
    let workers = api.node.config.workers;
    let row = |(address, role): (&str, &str)| {
        json!({
            "address": address, "arch": arch(), "role": role, "workers_busy": 0, "workers_total": workers,
        })
    };
    Json(rows.chain(seeds).map(row).collect())
}

/// Returns the architecture by its Go name.
fn arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
