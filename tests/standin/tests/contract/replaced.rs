//! A server that is being replaced: no request that was sent to it is dropped.

use crate::support::{Fleet, Kept, Node, until};

/// Starts a server that lingers for two seconds; also returns its port.
async fn lingering() -> (Node, u16) {
    let web = Fleet::new().run(&["web", "--port", "0", "--linger", "2"], &[]);
    let port = until("http", async || web.http_port()).await;
    (web, port)
}

#[tokio::test]
async fn a_replaced_server_keeps_serving_unready_and_then_ends() {
    let (mut web, _) = lingering().await;
    let status = async |path: &str| Ok::<_, String>(web.get(path).await?.status);
    assert_eq!(status("/health/ready").await, Ok(200));
    web.terminate();
    until("unready", async || if status("/health/ready").await? == 503 { Ok(()) } else { Err("ready".to_owned()) })
        .await;
    assert_eq!(status("/version").await, Ok(200));
    assert_eq!(status("/health/live").await, Ok(200));
    assert!(web.ended().await.success());
}

#[tokio::test]
async fn the_last_response_on_a_kept_connection_announces_its_end() {
    let (mut web, port) = lingering().await;
    let mut kept = Kept::open(port).await;
    for _ in 0..2 {
        assert!(!kept.get("/version").await.contains("connection: close"));
    }
    web.terminate();
    web.says("SIGTERM: ending").await;
    let last = kept.get("/version").await;
    assert!(last.starts_with("HTTP/1.1 200") && last.contains("connection: close"), "{last}");
    kept.closed().await;
    assert!(web.ended().await.success());
}
