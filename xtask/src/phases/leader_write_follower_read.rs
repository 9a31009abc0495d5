//! `leader_write_follower_read`: a record written through the leader is read through the others. It
//! proves that followers reach the leader, not that data was replicated: `pod_kill_leader` does that.

use anyhow::ensure;

use super::context::Cx;
use super::settled;
use super::write_read;

/// Runs the case.
pub async fn run(cx: &Cx) -> anyhow::Result<String> {
    let stage = cx.stage()?;
    let names = stage.names(stage.topology.replicas);
    ensure!(names.len() > 1, "there is no follower to read through: the topology has {} replica", names.len());
    let leader = settled::leader(&stage).await;
    // Where nobody tells who leads, one of all does.
    let writers = leader.as_ref().map_or_else(|| names.clone(), |leader| vec![leader.clone()]);
    for writer in &writers {
        let record = write_read::write(cx, &stage, writer).await?;
        for reader in names.iter().filter(|name| *name != writer) {
            write_read::expect(cx, &stage, reader, &record).await?;
        }
    }
    Ok(match leader {
        Some(leader) => format!("{leader} leads"),
        None => "the application does not tell who leads: written through every replica".to_owned(),
    })
}
