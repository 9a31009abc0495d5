//! Processes of the stand-in, each with its own loopback address and directory.

mod http;
mod node;

use std::time::{Duration, Instant};

pub use http::{Kept, request};
pub use node::{Fleet, Node};

/// Long enough for a machine that compiles everything else meanwhile.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Polls until the closure succeeds; at the deadline it panics with the last error.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Result<T, String>) -> T {
    let started = Instant::now();
    loop {
        match look().await {
            Ok(seen) => return seen,
            Err(last) if started.elapsed() > DEADLINE => panic!("{what}: not after {DEADLINE:?}; last seen: {last}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Waits until all nodes agree that these are the voters.
pub async fn voters(nodes: &[&Node], expected: &[String]) {
    until(&format!("voters {expected:?}, all agree"), async || {
        let mut views = Vec::new();
        for node in nodes {
            views.push(node.with_role("voter").await?);
        }
        views.iter().all(|view| view == expected).then_some(()).ok_or_else(|| format!("{views:?}"))
    })
    .await;
}

/// Waits until every job can be read through every node.
pub async fn all_readable(ids: &[String], nodes: &[&Node]) {
    for node in nodes {
        for id in ids {
            let what = format!("job {id} through {}", node.address);
            until(&what, async || node.get(&format!("/v1/jobs/{id}")).await?.expect(200)).await;
        }
    }
}

/// Returns the node that leads.
pub async fn leader<'a>(nodes: &[&'a Node]) -> &'a Node {
    until("a leader", async || {
        let health = nodes[0].get("/health").await?.expect(200)?;
        let address = health.json()["checks"]["cluster"]["quorum"]["leader_address"].clone();
        let node = nodes.iter().find(|node| address == node.address.as_str());
        node.copied().ok_or_else(|| format!("leader {address} is not one of these"))
    })
    .await
}
