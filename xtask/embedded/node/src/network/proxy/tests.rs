use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::controllers::testing;
use crate::registry::DeleteOptions;

const LONG: Duration = Duration::from_secs(20);

/// Creates a service on a loopback address of its own, with these endpoints.
fn publish(client: &Client, ip: &str, endpoints: &[(SocketAddr, bool)]) {
    let service = json!({
        "metadata": {"name": "web", "namespace": "a"},
        "spec": {"clusterIP": ip, "ports": [{"port": 8099}, {"port": 8099, "protocol": "UDP", "name": "packets"}]},
    });
    client.create(&serde_json::from_value::<Service>(service).unwrap()).unwrap();
    for (n, (address, ready)) in endpoints.iter().enumerate() {
        add_endpoint(client, n, *address, *ready);
    }
}

fn add_endpoint(client: &Client, n: usize, address: SocketAddr, ready: bool) {
    let slice = json!({
        "metadata": {"name": format!("web-{n}"), "namespace": "a", "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "IPv4",
        "ports": [
            {"name": "", "protocol": "TCP", "port": address.port()},
            {"name": "packets", "protocol": "UDP", "port": address.port()},
        ],
        "endpoints": [{"addresses": [address.ip().to_string()], "conditions": {"ready": ready}}],
    });
    client.create(&serde_json::from_value::<EndpointSlice>(slice).unwrap()).unwrap();
}

/// Connects once the proxy has caught up.
async fn connect(address: &str) -> TcpStream {
    let attempts = async {
        loop {
            if let Ok(stream) = TcpStream::connect(address).await {
                return stream;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(LONG, attempts).await.unwrap()
}

/// Starts a server that returns its input once the client has closed its side.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut input = Vec::new();
            stream.read_to_end(&mut input).await.unwrap();
            stream.write_all(&input).await.unwrap();
        }
    });
    address
}

#[tokio::test]
async fn a_connection_reaches_an_endpoint_and_may_be_half_closed() {
    let client = testing::client();
    publish(&client, "127.96.0.2", &[(echo().await, true)]);
    let proxy = tokio::spawn(run(client, PlantedFaults::default()));
    let mut stream = connect("127.96.0.2:8099").await;
    stream.write_all(b"said").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    timeout(LONG, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    assert_eq!(answer, b"said");
    proxy.abort();
}

#[tokio::test]
async fn an_endpoint_that_refuses_causes_a_reset_without_another_try() {
    let client = testing::client();
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    publish(&client, "127.96.0.3", &[(closed, true), (echo().await, false)]);
    let proxy = tokio::spawn(run(client, PlantedFaults::default()));
    let mut stream = connect("127.96.0.3:8099").await;
    let error = timeout(LONG, stream.read_u8()).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    proxy.abort();
}

#[tokio::test]
async fn a_service_without_a_ready_endpoint_refuses() {
    let client = testing::client();
    publish(&client, "127.96.0.4", &[(echo().await, false), (echo().await, true)]);
    let proxy = tokio::spawn(run(client.clone(), PlantedFaults::default()));
    drop(connect("127.96.0.4:8099").await);
    let slice: EndpointSlice = client.get("a", "web-1").unwrap();
    client.delete(&slice, &DeleteOptions::default()).unwrap();
    let refused = async {
        loop {
            match TcpStream::connect("127.96.0.4:8099").await {
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return,
                _ => tokio::task::yield_now().await,
            }
        }
    };
    timeout(LONG, refused).await.unwrap();
    proxy.abort();
}

#[tokio::test]
async fn a_diverted_connection_stays_diverted_and_a_new_one_finds_the_endpoint() {
    let client = testing::client();
    publish(&client, "127.96.0.7", &[]);
    let faults = serde_json::from_value(json!([{"fault": "serviceAstray", "of": "web"}])).unwrap();
    let proxy = tokio::spawn(run(client.clone(), PlantedFaults::new(faults)));
    let mut astray = connect("127.96.0.7:8099").await;
    let mut status = [0; 12];
    for n in 0..2 {
        astray.write_all(b"GET / HTTP/1.1\r\nhost: web\r\n\r\n").await.unwrap();
        timeout(LONG, astray.read_exact(&mut status)).await.unwrap().unwrap();
        assert_eq!(&status, b"HTTP/1.1 404");
        let mut rest = Vec::new();
        while !rest.ends_with(b"\r\n\r\n") {
            rest.push(timeout(LONG, astray.read_u8()).await.unwrap().unwrap());
        }
        add_endpoint(&client, n, echo().await, true);
    }
    let mut stream = connect("127.96.0.7:8099").await;
    stream.write_all(b"said").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    timeout(LONG, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    assert_eq!(answer, b"said");
    proxy.abort();
}

#[tokio::test]
async fn packets_reach_the_endpoint_and_return() {
    let client = testing::client();
    let far = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    publish(&client, "127.96.0.6", &[(far.local_addr().unwrap(), true)]);
    let proxy = tokio::spawn(run(client, PlantedFaults::default()));
    let near = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    near.connect("127.96.0.6:8099").await.unwrap();
    let mut buffer = [0; 16];
    let exchange = async {
        loop {
            // Lost until the proxy has caught up.
            let _ = near.send(b"asked").await;
            if let Ok(Ok((length, from))) = timeout(Duration::from_millis(50), far.recv_from(&mut buffer)).await {
                return (length, from);
            }
        }
    };
    let (length, from) = timeout(LONG, exchange).await.unwrap();
    assert_eq!(buffer[..length], *b"asked");
    far.send_to(b"answered", from).await.unwrap();
    let answered = async {
        loop {
            // Refusals from before the proxy was listening are reported now.
            if let Ok(length) = near.recv(&mut buffer).await {
                return length;
            }
        }
    };
    let length = timeout(LONG, answered).await.unwrap();
    assert_eq!(buffer[..length], *b"answered");
    proxy.abort();
}

#[test]
fn terminating_endpoints_serve_if_no_other_does() {
    let client = testing::client();
    let condition = |ready: bool, serving: bool, terminating: bool| json!({"ready": ready, "serving": serving, "terminating": terminating});
    let slice = |endpoints: Value| {
        json!({
            "metadata": {"name": "web-0", "namespace": "a", "labels": {"kubernetes.io/service-name": "web"}},
            "addressType": "IPv4", "ports": [{"name": "", "protocol": "TCP", "port": 1}], "endpoints": endpoints,
        })
    };
    publish(&client, "127.96.0.5", &[]);
    let ending = json!([
        {"addresses": ["10.0.0.1"], "conditions": condition(false, true, true)},
        {"addresses": ["10.0.0.2"], "conditions": condition(false, false, true)},
    ]);
    client.create(&serde_json::from_value::<EndpointSlice>(slice(ending)).unwrap()).unwrap();
    let targets = services::targets(&client, |_| false);
    let target = targets.values().find(|target| target.protocol == Protocol::Tcp).unwrap();
    assert_eq!(services::endpoints(&client, target), [SocketAddr::from(([10, 0, 0, 1], 1))]);
}
