//! A server that is being replaced: nothing that was sent to it is dropped.

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::support::{Fleet, Node, until};

async fn lingering() -> Node {
    let web = Fleet::new().run(&["web", "--port", "0", "--linger", "2"], &[]);
    until("http", async || web.http_port()).await;
    web
}

/// Asks over a connection that is kept, and reads the answer's head.
async fn ask(kept: &mut BufReader<TcpStream>) -> String {
    kept.write_all(b"GET /version HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(kept.read_line(&mut head).await.unwrap(), 0, "the connection ended after {head:?}");
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    kept.read_exact(&mut body).await.unwrap();
    head
}

#[tokio::test]
async fn it_serves_on_unready_and_then_ends() {
    let mut web = lingering().await;
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
async fn whoever_keeps_a_connection_is_told_that_it_ends() {
    let mut web = lingering().await;
    let stream = TcpStream::connect(("127.0.0.1", web.http_port().unwrap())).await.unwrap();
    let mut kept = BufReader::new(stream);
    for _ in 0..2 {
        assert!(!ask(&mut kept).await.contains("connection: close"));
    }
    web.terminate();
    web.says("SIGTERM: ending").await;
    let last = ask(&mut kept).await;
    assert!(last.starts_with("HTTP/1.1 200") && last.contains("connection: close"), "{last}");
    assert_eq!(kept.read(&mut [0]).await.unwrap(), 0, "the answer said that it is the last one");
    assert!(web.ended().await.success());
}
