//! Connections that servers keep open to a db, and the db that counts them.

use serde_json::json;

use crate::support::{Fleet, Node, until};

/// Starts a db that allows five connections; also returns its port.
async fn db(fleet: &Fleet, port: &str) -> (Node, String) {
    let node = fleet.run(&["db", "--port", port, "--max-connections", "5"], &[]);
    let port = until("http", async || node.http_port()).await;
    (node, port.to_string())
}

async fn web(fleet: &Fleet, db_port: &str, user: &str, size: &str) -> Node {
    let store = format!("http://127.0.0.1:{db_port}");
    let arguments = ["web", "--port", "0", "--store", &store, "--pool", size, "--db-user", user];
    let node = fleet.run(&arguments, &[]);
    until("http", async || node.http_port()).await;
    node
}

async fn ready(web: &Node) {
    until("ready", async || web.get("/health/ready").await?.expect(200)).await;
}

async fn lacks(web: &Node, words: &str) {
    until(words, async || {
        let answer = web.get("/health/ready").await?.expect(503)?;
        if answer.body.contains(words) { Ok(()) } else { Err(answer.body) }
    })
    .await;
}

async fn counted(db: &Node, want: serde_json::Value) {
    until(&format!("{want}"), async || {
        let count = db.get("/v1/connections").await?.expect(200)?.json();
        if count == want { Ok(()) } else { Err(count.to_string()) }
    })
    .await;
}

#[tokio::test]
async fn connections_are_counted_and_limited() {
    let fleet = Fleet::new();
    let (db, port) = db(&fleet, "0").await;
    let mut order = web(&fleet, &port, "order", "3").await;
    ready(&order).await;
    counted(&db, json!({ "open": 3, "peak": 3, "max": 5, "by_user": { "order": 3 } })).await;
    let customer = web(&fleet, &port, "customer", "3").await;
    lacks(&customer, "2 of 3 connections").await;
    lacks(&customer, "too many connections: 5 of 5").await;
    counted(&db, json!({ "open": 5, "peak": 5, "max": 5, "by_user": { "customer": 2, "order": 3 } })).await;
    order.kill();
    ready(&customer).await;
    counted(&db, json!({ "open": 3, "peak": 5, "max": 5, "by_user": { "customer": 3 } })).await;
}

#[tokio::test]
async fn a_pool_is_refilled_after_its_db_was_away() {
    let fleet = Fleet::new();
    let (mut before, port) = db(&fleet, "0").await;
    let order = web(&fleet, &port, "order", "2").await;
    ready(&order).await;
    before.terminate();
    assert!(before.ended().await.success(), "open connections don't delay its end");
    lacks(&order, "0 of 2 connections").await;
    let (_after, _) = db(&fleet, &port).await;
    ready(&order).await;
    let dependencies = until("dependencies", async || order.get("/dependencies").await).await;
    assert_eq!(dependencies.json(), json!({ "pool": "answers" }));
}

#[tokio::test]
async fn a_pool_needs_a_db() {
    let mut web = Fleet::new().run(&["web", "--port", "0", "--pool", "2"], &[]);
    assert_eq!(web.ended().await.code(), Some(1));
    assert!(web.log().contains("STANDIN_STORE is missing"), "{}", web.log());
}
