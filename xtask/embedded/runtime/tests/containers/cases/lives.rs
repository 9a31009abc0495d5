//! A node that runs until it is asked to end; the host checks how it ends.

use anyhow::Result;
use tokio::signal::unix::{SignalKind, signal};

use super::{Case, case};
use crate::pod::Node;

/// Its name, which the host uses.
pub const UNTIL_ASKED: &str = "runs_until_asked_to_end";

pub fn cases() -> Vec<Case> {
    vec![case(UNTIL_ASKED, runs_until_asked_to_end)]
}

async fn runs_until_asked_to_end(node: Node) -> Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    let pod = node.pod("a").await?;
    let mut spec = pod.spec("sleep 1000 & echo ready; exec sleep 1000");
    spec.memory_limit_bytes = Some(64 << 20);
    pod.start(spec).await?;
    pod.written("ready").await?;
    println!("{}", crate::host::READY);
    terminated.recv().await;
    pod.stop().await;
    Ok(())
}
