//! Each planted fault takes effect, and only where it is planted.

use std::time::{Duration, Instant};

use crate::support::{Fleet, Node, all_readable, leader, until, voters};

fn planted(faults: &str) -> Fleet {
    Fleet::new().with("STANDIN_FAULT", faults)
}

async fn answers(node: &Node, path: &str) -> Result<u16, String> {
    until("http", async || node.http_port()).await;
    node.request("GET", path, "", Duration::from_secs(5)).await.map(|answer| answer.status)
}

async fn job_status(node: &Node, id: &str) -> u16 {
    until("a response", async || node.get(&format!("/v1/jobs/{id}")).await).await.status
}

#[tokio::test]
async fn lost_acknowledged_write_is_read_until_the_leader_is_killed() {
    let fleet = planted("lost-acknowledged-write=2");
    let mut nodes = fleet.three().await;
    let ids = [nodes[0].write().await, nodes[0].write().await];
    all_readable(&ids, &nodes.each_ref()).await;
    let old = leader(&nodes.each_ref()).await.address.clone();
    assert!(nodes.iter().any(|node| node.log().contains("fault lost-acknowledged-write")));
    nodes.iter_mut().find(|node| node.address == old).unwrap().kill();
    let survivor = nodes.iter().find(|node| node.address != old).unwrap();
    let statuses = [job_status(survivor, &ids[0]).await, job_status(survivor, &ids[1]).await];
    assert_eq!(statuses, [200, 404]);
}

#[tokio::test]
async fn stale_read_affects_only_one_ordinal() {
    let fleet = planted("stale-read=600@1");
    let (zero, one) = (fleet.start(0), fleet.start(1));
    one.healthy().await;
    let id = zero.write().await;
    assert_eq!([job_status(&zero, &id).await, job_status(&one, &id).await], [200, 404]);
}

#[tokio::test]
async fn isolated_nodes_leave_no_quorum() {
    let fleet = planted("isolated=1@1,isolated=1@2");
    let nodes = fleet.three().await;
    let writer = leader(&nodes.each_ref()).await;
    writer.write().await;
    let hangs = async || match answers(writer, "/health").await {
        Err(why) => Ok(why),
        Ok(status) => Err(format!("still {status}")),
    };
    until("/health hangs", hangs).await;
    assert_eq!(answers(writer, "/v1/system/nodes").await, Ok(200), "its own view needs no quorum");
}

#[tokio::test]
async fn storage_full_rejects_one_job_more() {
    let node = planted("storage-full=1").start(0);
    node.write().await;
    let body = r#"{"alias":"more","trigger":{"type":"http","configuration":{}},"tasks":[]}"#;
    let answer = node.request("POST", "/v1/jobs", body, Duration::from_secs(5)).await.unwrap();
    assert_eq!((answer.status, answer.body.contains("database or disk is full")), (500, true));
}

#[tokio::test]
async fn resurrect_deleted_brings_a_job_back() {
    let fleet = planted("resurrect-deleted=1");
    let node = fleet.start(0);
    let path = format!("/v1/jobs/{}", node.write().await);
    node.request("DELETE", &path, "", Duration::from_secs(5)).await.unwrap().expect(202).unwrap();
    until("the job is back", async || node.get(&path).await?.expect(200)).await;
}

#[tokio::test]
async fn second_bootstrap_founds_another_cluster() {
    let fleet = planted("second-bootstrap");
    let [mut zero, one, _two] = fleet.three().await;
    let id = one.write().await;
    zero.kill();
    fleet.clear(0);
    let zero = fleet.start_as(0, 7, &[fleet.address(1), fleet.address(2)]);
    zero.healthy().await;
    voters(&[&zero], &fleet.addresses([7])).await;
    assert_eq!([job_status(&zero, &id).await, job_status(&one, &id).await], [404, 200]);
}

#[tokio::test]
async fn address_mismatch_ends_a_restart_under_another_address() {
    let fleet = planted("address-mismatch");
    let mut node = fleet.start(0);
    node.healthy().await;
    node.kill();
    let mut moved = fleet.start_as(0, 9, &[]);
    assert_eq!(moved.ended().await.code(), Some(1));
    let words = format!("address {:?} in info.yaml does not match {:?}", fleet.address(0), fleet.address(9));
    assert!(moved.log().contains(&words), "{}", moved.log());
    fleet.start(0).healthy().await;
}

#[tokio::test]
async fn stuck_join_never_joins_and_ignores_sigterm() {
    let fleet = planted("stuck-join@1");
    let zero = fleet.start(0);
    zero.healthy().await;
    let mut one = fleet.start(1);
    one.says("fault stuck-join").await;
    one.terminate();
    zero.write().await;
    assert!(one.runs() && one.http_port().is_err());
    assert_eq!(zero.with_role("spare").await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn health_hangs_but_jobs_respond() {
    let node = planted("health-hangs").start(0);
    assert!(answers(&node, "/health").await.unwrap_err().contains("no response within"));
    assert_eq!(answers(&node, "/v1/jobs").await, Ok(200));
}

#[tokio::test]
async fn health_503_starts_after_its_delay() {
    let node = planted("health-503=1").start(0);
    node.healthy().await;
    let answer = until("503", async || node.get("/health").await?.expect(503)).await.json();
    assert_eq!((&answer["status"], &answer["checks"]["database"]["status"]), (&"degraded".into(), &"degraded".into()));
    assert_eq!(answers(&node, "/v1/jobs").await, Ok(200));
}

#[tokio::test]
async fn slow_health_responds_late_and_is_degraded_after_a_second() {
    let node = planted("slow-health=1.1").start(0);
    let asked = Instant::now();
    assert_eq!(answers(&node, "/health").await, Ok(503));
    assert!(asked.elapsed() >= Duration::from_millis(1100));
}

#[tokio::test]
async fn slow_start_opens_http_late() {
    let started = Instant::now();
    let node = planted("slow-start=1").start(0);
    node.healthy().await;
    assert!(started.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn never_ready_is_a_member_with_http_closed() {
    let fleet = planted("never-ready@1");
    let (zero, mut one) = (fleet.start(0), fleet.start(1));
    one.says("fault never-ready: http stays closed").await;
    zero.healthy().await;
    assert_eq!(zero.with_role("spare").await.unwrap(), [fleet.address(1)]);
    one.terminate();
    assert!(one.ended().await.success());
}

#[tokio::test]
async fn wrong_port_leaves_the_configured_one_closed() {
    let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (right, wrong) = (free(), free());
    let fleet = planted(&format!("wrong-port={wrong}")).with("CAESIUM_PORT", &right.to_string());
    let node = fleet.start(0);
    node.healthy().await;
    assert_eq!(node.http_port(), Ok(wrong));
}

#[tokio::test]
async fn crash_loop_ends_every_start() {
    let fleet = planted("crash-loop=0.3");
    for _ in 0..2 {
        let mut node = fleet.start(0);
        assert_eq!(node.ended().await.code(), Some(1));
        assert!(node.log().contains("crashing with exit 1"), "{}", node.log());
    }
}

#[tokio::test]
async fn crash_once_and_twice_recover() {
    for (fault, crashes) in [("crash-once", 1), ("crash-twice", 2)] {
        let fleet = planted(fault);
        for _ in 0..crashes {
            assert_eq!(fleet.start(0).ended().await.code(), Some(1), "{fault}");
        }
        fleet.start(0).healthy().await;
    }
}

#[tokio::test]
async fn sigterm_ignored_keeps_running() {
    let mut node = planted("sigterm-ignored").start(0);
    node.healthy().await;
    node.terminate();
    node.says("SIGTERM ignored").await;
    node.healthy().await;
    assert!(node.runs());
}

#[tokio::test]
async fn write_read_only_root_writes_to_the_root() {
    let mut node = planted("write-read-only-root").start(0);
    let written = until("start or end", async || match (node.http_port(), node.runs()) {
        (Ok(_), _) => Ok(true),
        (_, false) => Ok(false),
        (Err(log), _) => Err(log),
    });
    if !written.await {
        assert!(node.log().contains("/caesium-scratch can't be written"), "{}", node.log());
    }
    assert!(!std::path::Path::new("/caesium-scratch").exists());
}

#[tokio::test]
async fn memory_hog_allocates_the_requested_amount() {
    let node = planted("memory-hog=64").start(0);
    node.says("fault memory-hog: 64 MiB taken").await;
}
