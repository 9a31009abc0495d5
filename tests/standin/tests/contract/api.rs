//! The HTTP API of a single node.

use std::time::Duration;

use crate::support::{Fleet, until};

#[tokio::test]
async fn jobs_are_created_found_and_deleted_as_in_caesium() {
    let fleet = Fleet::new();
    let node = fleet.start(0);
    node.healthy().await;
    let made = node.post("one").await.unwrap().expect(201).unwrap().json();
    let id = made["id"].as_str().unwrap();
    assert_eq!((id.len(), &made["alias"], &made["trigger"]["type"]), (36, &"one".into(), &"http".into()));
    for path in [format!("/v1/jobs/{id}"), format!("/v1/jobs/{}", &id[..8])] {
        assert_eq!(node.get(&path).await.unwrap().expect(200).unwrap().json(), made);
    }
    assert_eq!(node.get("/v1/jobs").await.unwrap().expect(200).unwrap().json(), serde_json::json!([made]));
    node.post("one").await.unwrap().expect(409).unwrap();
    let delete = async || node.request("DELETE", &format!("/v1/jobs/{id}"), "", Duration::from_secs(5)).await.unwrap();
    delete().await.expect(202).unwrap();
    delete().await.expect(404).unwrap();
    node.get(&format!("/v1/jobs/{id}")).await.unwrap().expect(404).unwrap();
    assert_eq!(node.get("/v1/jobs").await.unwrap().body, "[]");
    node.post("one").await.unwrap().expect(409).unwrap();
}

#[tokio::test]
async fn bad_requests_are_rejected() {
    let fleet = Fleet::new();
    let node = fleet.start(0);
    node.healthy().await;
    let post = async |body: &str| node.request("POST", "/v1/jobs", body, Duration::from_secs(5)).await.unwrap();
    for (body, reason) in [
        ("{", "EOF"),
        (r#"{"trigger":{"type":"http"}}"#, "missing field `alias`"),
        (r#"{"alias":"","trigger":{"type":"http"}}"#, "alias is missing"),
        (r#"{"alias":"x","trigger":{}}"#, "trigger.type is missing"),
        (r#"{"alias":"x","trigger":{"type":"http"},"tasks":1}"#, "tasks is not an array"),
    ] {
        let answer = post(body).await.expect(400).unwrap();
        assert!(answer.body.contains(reason), "{} to {body}", answer.body);
    }
    node.get("/v2").await.unwrap().expect(404).unwrap();
    node.get("/v1/jobs/00000000").await.unwrap().expect(404).unwrap();
    let put = node.request("PUT", "/v1/jobs", "", Duration::from_secs(5)).await.unwrap();
    put.expect(405).unwrap();
}

#[tokio::test]
async fn health_nodes_and_metrics_have_the_same_shape_as_in_caesium() {
    let fleet = Fleet::new();
    let node = fleet.start(0);
    let health = node.healthy().await.json();
    assert_eq!(health["status"], "healthy");
    assert_eq!(health["checks"]["database"]["status"], "healthy");
    assert!(health["checks"]["database"]["latency_ms"].is_u64() && health["uptime"].as_u64().unwrap() > 1_000_000);
    let quorum = serde_json::json!({
        "total_voters": 1, "reachable_voters": 1, "leader_address": fleet.address(0),
    });
    assert_eq!(health["checks"]["cluster"]["quorum"], quorum);
    let nodes = node.get("/v1/system/nodes").await.unwrap().json();
    let row = nodes[0].as_object().unwrap();
    let keys: Vec<_> = row.keys().map(String::as_str).collect();
    assert_eq!(keys, ["address", "arch", "role", "workers_busy", "workers_total"]);
    let metrics = node.get("/metrics").await.unwrap().expect(200).unwrap().body;
    assert!(metrics.contains("# TYPE caesium_jobs gauge") && !metrics.contains("raft"), "{metrics}");
}

#[tokio::test]
async fn by_default_there_is_no_quorum_block() {
    let fleet = Fleet::new().with("STANDIN_QUORUM", "off");
    let node = fleet.start(0);
    let checks = node.healthy().await.json()["checks"].clone();
    assert_eq!(checks.as_object().unwrap().len(), 1, "{checks}");
}

#[tokio::test]
async fn seeds_that_are_names_have_the_role_unknown() {
    let fleet = Fleet::new();
    let _zero = fleet.start(0);
    let one = fleet.start_as(1, 1, &["nowhere.invalid:9001".to_owned(), fleet.address(0)]);
    until("the row of the seed", async || {
        let unknown = one.with_role("unknown").await?;
        (unknown == ["nowhere.invalid:9001"]).then_some(()).ok_or_else(|| format!("{unknown:?}"))
    })
    .await;
}
