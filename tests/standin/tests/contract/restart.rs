//! Restarts: with the old directory, under another address, without a quorum.

use std::time::Duration;

use crate::support::{Fleet, all_readable, leader, until, voters};

#[tokio::test]
async fn peers_are_ignored_if_there_is_an_info_yaml() {
    let fleet = Fleet::new();
    let mut alone = fleet.start(0);
    let id = alone.write().await;
    alone.kill();
    let alone = fleet.start_as(0, 0, &["nowhere.invalid:9001".to_owned()]);
    all_readable(&[id], &[&alone]).await;
    assert!(alone.log().contains("CAESIUM_DATABASE_NODES is ignored"), "{}", alone.log());
    let info = std::fs::read_to_string(fleet.data(0).join("info.yaml")).unwrap();
    assert!(info.starts_with(&format!("Address: {}\nID: ", fleet.address(0))), "{info}");
}

#[tokio::test]
async fn a_single_node_adopts_its_new_address() {
    let fleet = Fleet::new();
    let mut alone = fleet.start(0);
    let id = alone.write().await;
    alone.kill();
    let alone = fleet.start_as(0, 5, &[]);
    all_readable(&[id], &[&alone]).await;
    voters(&[&alone], &fleet.addresses([5])).await;
}

#[tokio::test]
async fn all_nodes_restart_one_by_one_under_new_addresses() {
    let fleet = Fleet::new();
    let mut nodes = fleet.three().await;
    let mut ids = vec![nodes[0].write().await];
    let mut hosts = [0, 1, 2];
    for ordinal in [2_u32, 1, 0] {
        let index = ordinal as usize;
        nodes[index].kill();
        hosts[index] += 20;
        nodes[index] = fleet.start_as(ordinal, hosts[index], &[]);
        nodes[index].healthy().await;
        voters(&nodes.each_ref(), &fleet.addresses(hosts)).await;
        ids.push(nodes[index].write().await);
    }
    all_readable(&ids, &nodes.each_ref()).await;
}

#[tokio::test]
async fn two_nodes_restart_at_once_under_new_addresses() {
    let fleet = Fleet::new();
    let [mut zero, mut one, two] = fleet.three().await;
    let id = two.write().await;
    zero.kill();
    one.kill();
    let (zero, one) = (fleet.start_as(0, 20, &[]), fleet.start_as(1, 21, &[]));
    all_readable(&[id], &[&zero, &one, &two]).await;
    voters(&[&zero, &one, &two], &fleet.addresses([2, 20, 21])).await;
}

#[tokio::test]
async fn an_address_reused_by_another_node_does_no_harm() {
    let fleet = Fleet::new();
    let [mut zero, one, mut two] = fleet.three().await;
    let id = one.write().await;
    zero.kill();
    two.kill();
    let (zero, two) = (fleet.start_as(0, 2, &[]), fleet.start_as(2, 0, &[]));
    all_readable(&[id], &[&zero, &one, &two]).await;
    voters(&[&zero, &one, &two], &fleet.addresses([0, 1, 2])).await;
}

#[tokio::test]
async fn without_a_quorum_health_hangs_and_with_it_responds_again() {
    let fleet = Fleet::new();
    let [mut zero, mut one, two] = fleet.three().await;
    let id = two.write().await;
    zero.kill();
    one.kill();
    let hangs = async || two.request("GET", "/health", "", Duration::from_millis(1500)).await;
    until("health hangs", async || match hangs().await {
        Err(error) if error.starts_with("no response within") => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    two.get("/v1/system/nodes").await.unwrap().expect(200).unwrap();
    let one = fleet.start(1);
    two.healthy().await;
    all_readable(&[id], &[&one, &two]).await;
}

#[tokio::test]
async fn a_leader_that_restarts_at_once_does_not_continue_to_lead() {
    let fleet = Fleet::new();
    let mut nodes = fleet.three().await;
    let old = leader(&nodes.each_ref()).await.address.clone();
    let ordinal = (0..3).find(|ordinal| fleet.address(*ordinal) == old).unwrap();
    nodes[ordinal as usize].kill();
    nodes[ordinal as usize] = fleet.start(ordinal);
    nodes[ordinal as usize].healthy().await;
    assert_ne!(leader(&nodes.each_ref()).await.address, old);
}

#[tokio::test]
async fn a_cluster_recovers_after_all_nodes_were_killed() {
    let fleet = Fleet::new();
    let mut nodes = fleet.three().await;
    let id = nodes[1].write().await;
    nodes.iter_mut().for_each(crate::support::Node::kill);
    let nodes = [fleet.start(0), fleet.start(1), fleet.start(2)];
    all_readable(&[id], &nodes.each_ref()).await;
    voters(&nodes.each_ref(), &fleet.addresses([0, 1, 2])).await;
}
