//! Configurations with which Caesium does not start.

use crate::support::Fleet;

async fn refused(fleet: Fleet, words: &str) {
    let mut node = fleet.start(0);
    let status = node.ended().await;
    assert_eq!(status.code(), Some(1), "{}", node.log());
    assert!(node.log().contains(words), "{words:?} is not in {}", node.log());
}

#[tokio::test]
async fn the_port_of_a_service_named_caesium_is_rejected() {
    refused(Fleet::new().with("CAESIUM_PORT", "tcp://10.96.0.1:8080"), "is not a port number; Kubernetes injects it")
        .await;
}

#[tokio::test]
async fn a_name_as_node_address_is_rejected() {
    let fleet = Fleet::new().with("CAESIUM_NODE_ADDRESS", "caesium-0.caesium-headless:9001");
    refused(fleet, "failed to set bind address \"caesium-0.caesium-headless:9001\": invalid address").await;
}

#[tokio::test]
async fn an_address_of_another_host_is_rejected() {
    refused(Fleet::new().with("CAESIUM_NODE_ADDRESS", "192.0.2.1:9001"), "can't listen on CAESIUM_NODE_ADDRESS").await;
}

#[tokio::test]
async fn a_data_directory_that_cannot_be_created_is_an_error() {
    let fleet = Fleet::new().with("CAESIUM_DATABASE_PATH", "/proc/nowhere");
    refused(fleet, "data directory /proc/nowhere can't be created").await;
}

#[tokio::test]
async fn a_misspelt_fault_is_rejected() {
    refused(Fleet::new().with("STANDIN_FAULT", "never-redy"), "\"never-redy\": no such fault; expected one of").await;
}

#[tokio::test]
async fn a_damaged_log_is_rejected() {
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
