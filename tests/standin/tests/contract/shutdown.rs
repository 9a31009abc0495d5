//! Joining and SIGTERM.

use std::time::{Duration, Instant};

use crate::support::{Fleet, request, until};

#[tokio::test]
async fn a_joining_node_keeps_http_closed_until_a_peer_appears() {
    let fleet = Fleet::new();
    let mut one = fleet.start(1);
    one.says("not joined yet").await;
    one.terminate();
    let _zero = fleet.start(0);
    one.says("joined through").await;
    assert!(one.ended().await.success(), "the SIGTERM that was ignored while joining counts afterwards");
    assert!(!one.log().contains("http listening"), "{}", one.log());
}

#[tokio::test]
async fn sigterm_lets_an_open_request_finish() {
    let fleet = Fleet::new().with("STANDIN_FAULT", "slow-health=0.7");
    let mut node = fleet.start(0);
    until("http", async || node.http_port()).await;
    let (open, ()) = tokio::join!(node.get("/health"), async {
        node.get("/v1/system/nodes").await.unwrap();
        node.terminate();
        node.says("SIGTERM: ending").await;
        until("new connections refused", async || match node.get("/v1/system/nodes").await {
            Err(error) if error.contains("refused") => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
    });
    open.unwrap().expect(200).unwrap();
    assert!(node.ended().await.success());
}

#[tokio::test]
async fn sigterm_waits_ten_seconds_for_a_hanging_request() {
    let fleet = Fleet::new().with("STANDIN_FAULT", "health-hangs");
    let mut node = fleet.start(0);
    until("http", async || node.http_port()).await;
    let port = node.http_port().unwrap();
    let hanging = tokio::spawn(async move { request(port, "GET", "/health", "", Duration::from_secs(60)).await });
    node.says("fault health-hangs: health does not respond").await;
    let asked = Instant::now();
    node.terminate();
    assert!(node.ended().await.success());
    assert!(hanging.await.unwrap().is_err(), "it never got a response");
    let took = asked.elapsed();
    assert!((Duration::from_secs(9)..Duration::from_secs(20)).contains(&took), "ended after {took:?}");
}
