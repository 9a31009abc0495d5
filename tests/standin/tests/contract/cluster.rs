//! Three nodes: they form a cluster, replicate, and lose nothing when any one of them is killed.

use crate::support::{Fleet, all_readable, leader, until, voters};

#[tokio::test]
async fn every_node_reads_what_any_node_wrote() {
    let fleet = Fleet::new();
    let nodes = fleet.three().await;
    let mut ids = Vec::new();
    for node in &nodes {
        ids.push(node.write().await);
    }
    all_readable(&ids, &nodes.each_ref()).await;
}

#[tokio::test]
async fn kill_9_of_any_one_loses_nothing() {
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
    voters(&nodes.each_ref(), 3).await;
}

#[tokio::test]
async fn kill_9_of_the_leader_makes_another_one_lead() {
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
async fn a_second_member_is_a_spare_and_the_third_makes_three_voters() {
    let fleet = Fleet::new();
    let (zero, one) = (fleet.start(0), fleet.start(1));
    one.healthy().await;
    let spares = until("a spare", async || {
        let spares = zero.with_role("spare").await?;
        (spares.len() == 1).then(|| spares.clone()).ok_or_else(|| format!("{spares:?}"))
    });
    assert_eq!(spares.await, [fleet.address(1)]);
    assert_eq!(voters(&[&zero, &one], 1).await, [fleet.address(0)]);
    let two = fleet.start(2);
    voters(&[&zero, &one, &two], 3).await;
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
    voters(&[&fourth], 3).await;
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
    let now = voters(&[&zero, &one, &two], 3).await;
    assert_eq!(now, [fleet.address(1), fleet.address(2), fleet.address(7)]);
    assert_eq!(one.with_role("spare").await.unwrap(), [fleet.address(0)], "a dead entry is never removed");
    all_readable(&[id], &[&zero, &one, &two]).await;
}

#[tokio::test]
async fn data_survives_snapshots_and_a_newcomer_gets_one() {
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
    until("the newcomer's own copy", async || {
        let metrics = one.get("/metrics").await?.expect(200)?.body;
        metrics.contains("caesium_jobs 70\n").then_some(()).ok_or(metrics)
    })
    .await;
}
