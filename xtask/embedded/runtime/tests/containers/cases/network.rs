//! Connections between pods, and from the node to them.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use anyhow::{Context, Result, ensure};
use runtime::{ContainerSpec, Mount};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{Case, case};
use crate::pod::{Node, Pod};

pub fn cases() -> Vec<Case> {
    vec![
        case("pods_reach_each_other", pods_reach_each_other),
        case("the_node_reaches_a_pods_localhost", the_node_reaches_a_pods_localhost),
        case(
            "the_gateway_keeps_its_address_while_pods_come_and_go",
            the_gateway_keeps_its_address_while_pods_come_and_go,
        ),
        case("a_pod_reaches_service_addresses", a_pod_reaches_service_addresses),
        case("no_address_is_used_twice", no_address_is_used_twice),
        case("a_stopped_pod_leaves_nothing", a_stopped_pod_leaves_nothing),
    ]
}

/// Returns a container that greets everyone who connects: this program itself.
pub fn server(pod: &Pod, address: &str) -> Result<ContainerSpec> {
    let mut spec = pod.spec("");
    let program = std::env::current_exe().context("find this program")?;
    spec.command = vec!["/server".into(), crate::SERVE.into(), address.into()];
    spec.mounts = vec![Mount { source: program, target: "/server".into(), read_only: true, ..Mount::default() }];
    Ok(spec)
}

async fn greeting(mut stream: TcpStream) -> Result<String> {
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    Ok(text)
}

async fn pods_reach_each_other(node: Node) -> Result<()> {
    let (one, other) = (node.pod("one").await?, node.pod("other").await?);
    let mut spec = server(&one, "0.0.0.0:80")?;
    // Port 80 as an ordinary user, as everywhere on Kubernetes.
    spec.security.run_as_user = Some(10001);
    let container = one.start(spec).await?;
    one.written("listening").await?;
    let from_node = greeting(TcpStream::connect((one.sandbox.ip(), 80)).await?).await?;
    ensure!(from_node == "hello from one", "{from_node}");
    let mut fetch = server(&other, &format!("{}:80", one.sandbox.ip()))?;
    fetch.command[1] = crate::FETCH.into();
    let (exit, output) = other.run(fetch).await?;
    ensure!(exit.code == 0 && output == "hello from one\n", "{exit:?} {output}");
    container.signal(9);
    one.stop().await;
    other.stop().await;
    Ok(())
}

async fn the_node_reaches_a_pods_localhost(node: Node) -> Result<()> {
    let pod = node.pod("local").await?;
    let threads = || std::fs::read_dir("/proc/self/task").map(Iterator::count);
    for (port, address) in [(8080, "127.0.0.1:8080"), (8081, "[::1]:8081")] {
        let container = pod.start(server(&pod, address)?).await?;
        pod.written(address).await?;
        let before = threads()?;
        for _ in 0..20 {
            let text = greeting(pod.sandbox.connect(port).await?).await?;
            ensure!(text == "hello from local", "{text}");
        }
        // A thread responds shortly before it ends.
        ensure!(threads()? <= before + 1, "{} threads, then {}", before, threads()?);
        ensure!(TcpStream::connect((pod.sandbox.ip(), port)).await.is_err(), "it listens only on localhost");
        container.signal(9);
        container.wait().await;
    }
    let Err(refused) = pod.sandbox.connect(8080).await else { anyhow::bail!("nothing listens any more") };
    ensure!(refused.kind() == std::io::ErrorKind::ConnectionRefused, "{refused}");
    pod.stop().await;
    Ok(())
}

async fn the_gateway_keeps_its_address_while_pods_come_and_go(node: Node) -> Result<()> {
    let pod = node.pod("stays").await?;
    let mut others = Vec::new();
    for name in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        others.push(node.pod(name).await?);
    }
    let before = gateway(&pod).await?;
    ensure!(before.contains(" 02:00:00:00:00:01 "), "{before}");
    // If the gateway had the address of one of its ports, removing that port would change it.
    for other in others {
        other.stop().await;
    }
    let after = gateway(&pod).await?;
    ensure!(after == before, "{before}{after}");
    pod.stop().await;
    Ok(())
}

/// Returns the pod's neighbour entry of its gateway, after sending something there.
async fn gateway(pod: &Pod) -> Result<String> {
    let mut spec = server(pod, "10.244.0.1:9")?;
    spec.command[1] = crate::NEIGHBOURS.into();
    let (exit, output) = pod.run(spec).await?;
    ensure!(exit.code == 0, "{exit:?} {output}");
    Ok(output)
}

async fn a_pod_reaches_service_addresses(node: Node) -> Result<()> {
    node.runtime.serve_addresses(Ipv4Addr::new(10, 96, 0, 0), 16).await?;
    let listener = TcpListener::bind("10.96.7.8:443").await?;
    let pod = node.pod("client").await?;
    let mut fetch = server(&pod, "10.96.7.8:443")?;
    fetch.command[1] = crate::FETCH.into();
    let serve = async {
        let (mut stream, from) = listener.accept().await?;
        stream.write_all(b"served").await?;
        anyhow::Ok(from)
    };
    let (ran, from) = tokio::join!(pod.run(fetch), serve);
    ensure!(ran?.1 == "served\n");
    ensure!(from?.ip() == pod.sandbox.ip(), "the pod is seen under its own address");
    pod.stop().await;
    Ok(())
}

async fn no_address_is_used_twice(node: Node) -> Result<()> {
    let mut given = BTreeSet::new();
    for _ in 0..5 {
        let pod = node.pod("same-name").await?;
        ensure!(given.insert(pod.sandbox.ip()), "{} again", pod.sandbox.ip());
        ensure!(pod.sandbox.ip() != Ipv4Addr::new(10, 244, 0, 1), "the gateway's");
        pod.stop().await;
    }
    Ok(())
}

async fn a_stopped_pod_leaves_nothing(node: Node) -> Result<()> {
    let pod = node.pod("a").await?;
    let running = pod.start(pod.spec("trap '' TERM; echo ready; while :; do sleep 1; done")).await?;
    pod.written("ready").await?;
    pod.stop().await;
    ensure!(running.wait().await.code == 137);
    let interfaces: Vec<_> = std::fs::read_dir("/proc/self/net/dev_snmp6")
        .map(|entries| entries.flatten().map(|entry| entry.file_name()).collect())
        .unwrap_or_default();
    ensure!(!interfaces.iter().any(|name| name.to_string_lossy().starts_with("veth")), "{interfaces:?}");
    ensure!(pod.log_path().exists(), "logs stay");
    pod.stop().await;
    ensure!(pod.sandbox.connect(80).await.is_err());
    Ok(())
}
