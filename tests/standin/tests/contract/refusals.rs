//! What Caesium refuses to start with.

use crate::support::Fleet;

async fn refused(fleet: Fleet, words: &str) {
    let mut node = fleet.start(0);
    let status = node.ended().await;
    assert_eq!(status.code(), Some(1), "{}", node.log());
    assert!(node.log().contains(words), "{words:?} is not in {}", node.log());
}

#[tokio::test]
async fn the_port_of_a_service_named_caesium() {
    refused(Fleet::new().with("CAESIUM_PORT", "tcp://10.96.0.1:8080"), "is no port number; Kubernetes injects it")
        .await;
}

#[tokio::test]
async fn a_name_as_node_address() {
    let fleet = Fleet::new().with("CAESIUM_NODE_ADDRESS", "caesium-0.caesium-headless:9001");
    refused(fleet, "failed to set bind address \"caesium-0.caesium-headless:9001\": invalid address").await;
}

#[tokio::test]
async fn an_address_of_another_host() {
    refused(Fleet::new().with("CAESIUM_NODE_ADDRESS", "192.0.2.1:9001"), "can't listen on CAESIUM_NODE_ADDRESS").await;
}

#[tokio::test]
async fn a_data_directory_that_cannot_be_made() {
    let fleet = Fleet::new().with("CAESIUM_DATABASE_PATH", "/proc/nowhere");
    refused(fleet, "data directory /proc/nowhere can't be made").await;
}

#[tokio::test]
async fn a_misspelt_fault() {
    refused(Fleet::new().with("STANDIN_FAULT", "never-redy"), "\"never-redy\": no such fault; there are").await;
}

#[tokio::test]
async fn a_damaged_log() {
    let fleet = Fleet::new();
    let mut node = fleet.start(0);
    node.write().await;
    node.kill();
    let path = fleet.data(0).join("log");
    let mut log = std::fs::read(&path).unwrap();
    log[20] ^= 1;
    std::fs::write(&path, log).unwrap();
    refused(fleet, "is damaged: bad record at byte 0").await;
}
