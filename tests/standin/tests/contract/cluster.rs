//! Three nodes: they form a cluster, replicate, and lose nothing if any one of them is killed.

use std::time::Duration;

use crate::support::{Fleet, all_readable, leader, request, until, voters};

#[tokio::test]
async fn every_node_reads_what_any_node_wrote() {
    let fleet = Fleet::new();
    let nodes = fleet.three().await;
    let mut ids = Vec::new();
    for node in &nodes {
        ids.push(node.write().await);
    }
    all_readable(&ids, &nodes.each_ref()).await;
    for node in &nodes {
        assert!(node.resident_mib() < 30, "{} takes {} MiB", node.address, node.resident_mib());
    }
}

#[tokio::test]
async fn sigkill_of_any_node_loses_nothing() {
    let fleet = Fleet::new();
    let mut nodes = fleet.three().await;
    let mut ids = vec![nodes[0].write().await];
    for killed in 0..3_u32 {
        let index = killed as usize;
        nodes[index].kill();
        let survivors: Vec<_> = nodes.iter().filter(|node| node.address != fleet.address(killed)).collect();
        ids.push(survivors[0].write().await);
        all_readable(&ids, &survivors).await;
        nodes[index] = fleet.start(killed);
        all_readable(&ids, &nodes.each_ref()).await;
    }
    voters(&nodes.each_ref(), &fleet.addresses([0, 1, 2])).await;
}

#[tokio::test]
async fn after_sigkill_of_the_leader_another_node_leads() {
    let fleet = Fleet::new();
    let mut nodes = fleet.three().await;
    let old = leader(&nodes.each_ref()).await.address.clone();
    let id = nodes[0].write().await;
    nodes.iter_mut().find(|node| node.address == old).unwrap().kill();
    let survivors: Vec<_> = nodes.iter().filter(|node| node.address != old).collect();
    until("another leader", async || {
        let health = survivors[0].get("/health").await?.expect(200)?.json();
        let quorum = &health["checks"]["cluster"]["quorum"];
        let done = quorum["leader_address"] != old.as_str() && quorum["reachable_voters"] == 2;
        done.then_some(()).ok_or_else(|| quorum.to_string())
    })
    .await;
    all_readable(&[id], &survivors).await;
}

#[tokio::test]
async fn writes_acknowledged_while_nodes_are_killed_are_kept() {
    let fleet = Fleet::new();
    let mut nodes = fleet.three().await;
    let mut acknowledged = Vec::new();
    for killed in [0_u32, 2, 1] {
        let (killed_at, through) = (killed as usize, (killed as usize + 1) % 3);
        let port = nodes[through].http_port().unwrap();
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let writers: Vec<_> = (0..4).map(|_| tokio::spawn(write_until(port, stopped.clone()))).collect();
        nodes[through].write().await;
        nodes[killed_at].kill();
        nodes[through].write().await;
        nodes[killed_at] = fleet.start(killed);
        nodes[killed_at].healthy().await;
        stop.send(true).unwrap();
        for writer in writers {
            acknowledged.extend(writer.await.unwrap());
        }
    }
    assert!(acknowledged.len() > 30, "only {} writes were acknowledged", acknowledged.len());
    for node in &nodes {
        let jobs = until("all jobs", async || node.get("/v1/jobs").await?.expect(200)).await.body;
        let lost: Vec<_> = acknowledged.iter().filter(|id| !jobs.contains(id.as_str())).collect();
        assert!(lost.is_empty(), "{} of {} are lost at {}", lost.len(), acknowledged.len(), node.address);
    }
}

/// Writes one job after the other, and returns the ids of the acknowledged ones.
async fn write_until(port: u16, stopped: tokio::sync::watch::Receiver<bool>) -> Vec<String> {
    let mut ids = Vec::new();
    while !*stopped.borrow() {
        let alias = uuid::Uuid::new_v4();
        let body = serde_json::json!({ "alias": alias.to_string(), "trigger": { "type": "http" } }).to_string();
        let answer = request(port, "POST", "/v1/jobs", &body, Duration::from_secs(5)).await;
        if let Ok(answer) = answer.and_then(|answer| answer.expect(201)) {
            ids.push(answer.id());
        }
    }
    ids
}

#[tokio::test]
async fn a_second_member_is_a_spare_and_the_third_makes_three_voters() {
    let fleet = Fleet::new();
    let (zero, one) = (fleet.start(0), fleet.start(1));
    one.healthy().await;
    let spares = until("a spare", async || {
        let spares = zero.with_role("spare").await?;
        (spares.len() == 1).then(|| spares.clone()).ok_or_else(|| format!("{spares:?}"))
    });
    assert_eq!(spares.await, [fleet.address(1)]);
    voters(&[&zero, &one], &fleet.addresses([0])).await;
    let two = fleet.start(2);
    voters(&[&zero, &one, &two], &fleet.addresses([0, 1, 2])).await;
}

#[tokio::test]
async fn a_fourth_member_is_a_standby() {
    let fleet = Fleet::new();
    let _three = fleet.three().await;
    let fourth = fleet.start(3);
    until("a standby", async || {
        let standbys = fourth.with_role("standby").await?;
        (standbys == [fleet.address(3)]).then_some(()).ok_or_else(|| format!("{standbys:?}"))
    })
    .await;
    voters(&[&fourth], &fleet.addresses([0, 1, 2])).await;
}

#[tokio::test]
async fn an_empty_node_joins_under_a_new_id_and_the_dead_entry_is_demoted() {
    let fleet = Fleet::new();
    let [mut zero, one, two] = fleet.three().await;
    let id = zero.write().await;
    zero.kill();
    fleet.clear(0);
    let zero = fleet.start_as(0, 7, &[fleet.address(1), fleet.address(2)]);
    zero.says("joined through").await;
    voters(&[&zero, &one, &two], &fleet.addresses([1, 2, 7])).await;
    assert_eq!(one.with_role("spare").await.unwrap(), [fleet.address(0)], "a dead entry is never removed");
    all_readable(&[id], &[&zero, &one, &two]).await;
}

#[tokio::test]
async fn data_survives_snapshots_and_a_new_member_gets_one() {
    let fleet = Fleet::new().with("STANDIN_SNAPSHOT_ENTRIES", "20");
    let mut zero = fleet.start(0);
    let mut ids = Vec::new();
    for _ in 0..70 {
        ids.push(zero.write().await);
    }
    zero.kill();
    let snapshot = std::fs::read_to_string(fleet.data(0).join("snapshot.json")).unwrap();
    assert!(snapshot.contains(&ids[0]), "the first job is in the snapshot");
    let log = std::fs::read_to_string(fleet.data(0).join("log")).unwrap();
    assert!(!log.contains(&ids[0]), "the first job is purged from the log");
    let (zero, one) = (fleet.start(0), fleet.start(1));
    all_readable(&ids[..2], &[&zero, &one]).await;
    all_readable(&ids[68..], &[&zero, &one]).await;
    until("the new member's own copy", async || {
        let metrics = one.get("/metrics").await?.expect(200)?.body;
        metrics.contains("caesium_jobs 70\n").then_some(()).ok_or(metrics)
    })
    .await;
}
