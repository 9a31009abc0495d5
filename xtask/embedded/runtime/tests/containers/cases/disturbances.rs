//! Traffic of pods that is lost or late.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use runtime::{Container, Direction, Disturbance, Others, TOS_OF_SERVICES};
use tokio::net::{TcpListener, TcpSocket};

use super::network::server;
use super::{Case, case};
use crate::pod::{Node, Pod};

/// A connection attempt that gets no response at all is given up after this time.
const PATIENCE: Duration = Duration::from_secs(1);

pub fn cases() -> Vec<Case> {
    vec![
        case("a_cut_is_silent_and_heals", a_cut_is_silent_and_heals),
        case("one_direction_is_cut", one_direction_is_cut),
        case("a_new_pod_is_cut_off_from_one_that_knows_only_its_peers", a_new_pod_is_cut_off),
        case("a_pod_without_services_is_still_probed", a_pod_without_services_is_still_probed),
        case("traffic_is_late_and_complete", traffic_is_late_and_complete),
        case("some_packets_are_lost", some_packets_are_lost),
    ]
}

fn cut(pod: &Pod, direction: Direction, others: Others) -> Disturbance {
    let (delay, jitter) = (Duration::ZERO, Duration::ZERO);
    Disturbance { pod: pod.sandbox.ip(), direction, others, port: None, loss_percent: 100, delay, jitter }
}

fn only(pod: &Pod) -> Others {
    Others::Only([pod.sandbox.ip()].into())
}

async fn serving(node: &Node, name: &str) -> Result<(Pod, Container)> {
    let pod = node.pod(name).await?;
    let container = pod.start(server(&pod, "0.0.0.0:80")?).await?;
    pod.written("listening").await?;
    Ok((pod, container))
}

/// Runs this program in the pod, with one of its hidden words.
async fn run(pod: &Pod, word: &str, address: SocketAddr) -> Result<String> {
    let mut spec = server(pod, &address.to_string())?;
    spec.command[1] = word.into();
    let (exit, output) = pod.run(spec).await?;
    ensure!(exit.code == 0, "{exit:?} {output}");
    Ok(output.trim().to_owned())
}

async fn reach(from: &Pod, ip: Ipv4Addr) -> Result<String> {
    run(from, crate::REACH, SocketAddr::new(ip.into(), 80)).await
}

async fn a_cut_is_silent_and_heals(node: Node) -> Result<()> {
    let ((server, running), client) = (serving(&node, "server").await?, node.pod("client").await?);
    ensure!(reach(&client, server.sandbox.ip()).await?.starts_with("17 bytes"), "before");
    for direction in [Direction::Sends, Direction::Receives] {
        let cut = cut(&client, direction, only(&server));
        client.sandbox.disturb(cut.clone()).await?;
        let met = reach(&client, server.sandbox.ip()).await?;
        ensure!(met == "TimedOut", "neither refused nor unreachable: {met}");
        ensure!(client.sandbox.hits(&cut) > 0, "no packet was lost");
        client.sandbox.restore(&cut).await?;
        let met = reach(&client, server.sandbox.ip()).await?;
        ensure!(met.starts_with("17 bytes"), "{met}");
    }
    running.signal(9);
    client.stop().await;
    server.stop().await;
    Ok(())
}

async fn one_direction_is_cut(node: Node) -> Result<()> {
    let (one, other) = (node.pod("one").await?, node.pod("other").await?);
    let any = |port| SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port);
    let mut sending = Vec::new();
    for (from, to, port) in [(&one, &other, 7001), (&other, &one, 7002)] {
        let mut spec = server(from, &SocketAddr::new(to.sandbox.ip().into(), port).to_string())?;
        spec.command[1] = crate::SEND.into();
        spec.name = "sender".into();
        sending.push(from.start(spec).await?);
        from.written("sending").await?;
    }
    let heard = async || {
        let other_hears = run(&other, crate::HEAR, any(7001)).await?;
        anyhow::Ok((other_hears, run(&one, crate::HEAR, any(7002)).await?))
    };
    let is = |heard: &(String, String), wanted: (&str, &str)| (heard.0.as_str(), heard.1.as_str()) == wanted;
    for (direction, wanted) in [(Direction::Receives, ("heard", "silence")), (Direction::Sends, ("silence", "heard"))] {
        let cut = cut(&one, direction, only(&other));
        one.sandbox.disturb(cut.clone()).await?;
        let during = heard().await?;
        ensure!(is(&during, wanted), "{direction:?}: {during:?}");
        one.sandbox.restore(&cut).await?;
    }
    let after = heard().await?;
    ensure!(is(&after, ("heard", "heard")), "{after:?}");
    for container in &sending {
        container.signal(9);
    }
    one.stop().await;
    other.stop().await;
    Ok(())
}

async fn a_new_pod_is_cut_off(node: Node) -> Result<()> {
    let ((server, running), peer) = (serving(&node, "server").await?, node.pod("peer").await?);
    let all_but = || Others::AllBut([peer.sandbox.ip()].into());
    for direction in [Direction::Sends, Direction::Receives] {
        server.sandbox.disturb(cut(&server, direction, all_but())).await?;
    }
    let new = node.pod("new").await?;
    let (of_new, of_peer) = (reach(&new, server.sandbox.ip()).await?, reach(&peer, server.sandbox.ip()).await?);
    ensure!(of_new == "TimedOut" && of_peer.starts_with("17 bytes"), "{of_new}, {of_peer}");
    running.signal(9);
    for pod in [new, peer, server] {
        pod.stop().await;
    }
    Ok(())
}

async fn a_pod_without_services_is_still_probed(node: Node) -> Result<()> {
    node.runtime.serve_addresses(Ipv4Addr::new(10, 96, 0, 0), 16).await?;
    let service = TcpListener::bind("10.96.7.8:80").await?;
    let answering = tokio::spawn(async move { while service.accept().await.is_ok() {} });
    let (pod, running) = serving(&node, "pod").await?;
    for direction in [Direction::Sends, Direction::Receives] {
        pod.sandbox.disturb(cut(&pod, direction, Others::AllBut([].into()))).await?;
    }
    let met = reach(&pod, Ipv4Addr::new(10, 96, 7, 8)).await?;
    ensure!(met == "TimedOut", "{met}");
    let connect = async |tos: u32| {
        let socket = TcpSocket::new_v4()?;
        socket.set_tos_v4(tos)?;
        let to = SocketAddr::new(IpAddr::V4(pod.sandbox.ip()), 80);
        anyhow::Ok(tokio::time::timeout(PATIENCE, socket.connect(to)).await)
    };
    ensure!(connect(0).await?.is_ok_and(|connected| connected.is_ok()), "a probe");
    ensure!(connect(TOS_OF_SERVICES.into()).await?.is_err(), "a connection through a Service");
    answering.abort();
    running.signal(9);
    pod.stop().await;
    Ok(())
}

async fn traffic_is_late_and_complete(node: Node) -> Result<()> {
    let ((server, running), client) = (serving(&node, crate::TALKATIVE).await?, node.pod("client").await?);
    let late = |direction| Disturbance {
        loss_percent: 0,
        delay: Duration::from_millis(50),
        jitter: Duration::from_millis(5),
        ..cut(&client, direction, only(&server))
    };
    client.sandbox.disturb(late(Direction::Sends)).await?;
    client.sandbox.disturb(late(Direction::Receives)).await?;
    let met = reach(&client, server.sandbox.ip()).await?;
    let (bytes, rest) = met.split_once(" bytes after ").context("no connection")?;
    let took_ms: u64 = rest.trim_end_matches(" ms").parse()?;
    ensure!(bytes.parse() == Ok(crate::TALKATIVE_BYTES + 20), "{met}");
    ensure!((200..10_000).contains(&took_ms), "two round trips at least: {met}");
    running.signal(9);
    client.stop().await;
    server.stop().await;
    Ok(())
}

async fn some_packets_are_lost(node: Node) -> Result<()> {
    let ((server, running), client) = (serving(&node, crate::TALKATIVE).await?, node.pod("client").await?);
    let lossy = Disturbance { loss_percent: 5, ..cut(&client, Direction::Receives, only(&server)) };
    client.sandbox.disturb(lossy).await?;
    let all = format!("{} bytes", crate::TALKATIVE_BYTES + 20);
    for attempt in 0.. {
        let met = reach(&client, server.sandbox.ip()).await?;
        if met.starts_with(&all) {
            break;
        }
        // TCP sends lost packets again, the first of them only after a second.
        ensure!(met == "TimedOut" && attempt < 5, "{met}");
    }
    running.signal(9);
    client.stop().await;
    server.stop().await;
    Ok(())
}
