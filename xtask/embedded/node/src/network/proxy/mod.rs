//! kube-proxy's part: connections to a service's address reach one of its ready endpoints.
//!
//! There is a listener for each port of a service that has an endpoint; without one the kernel refuses the connection,
//! as kube-proxy's rule does. If the chosen endpoint does not accept, the connection is reset: kube-proxy tries no
//! other either.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use runtime::TOS_OF_SERVICES;
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::changes::Changes;
use crate::client::Client;
use crate::faults::{self, PlantedFaults};

mod affinity;
mod services;
#[cfg(test)]
mod tests;
mod udp;

use affinity::Affinity;
use services::{Protocol, ProxiedPort};

/// How many connections are forwarded at a time; further ones wait to be accepted.
const CONNECTIONS_MAX: usize = 4096;
/// How long an endpoint may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// When to retry an address that can't be bound.
const RETRY: Duration = Duration::from_secs(1);

/// Forwards connections to service addresses until dropped. These addresses must already belong to the node's network.
pub async fn run(client: Client, faults: PlantedFaults) {
    let mut changes = Changes::new(client.clone());
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut listeners = Listeners::default();
    let way = Route { client, faults };
    let mut missing = false;
    loop {
        let concerned = tokio::select! {
            news = changes.next() => match news {
                Some(news) => news.iter().any(|c| matches!(c.kind.built_in(), "Service" | "EndpointSlice")),
                None => return,
            },
            () = tokio::time::sleep(RETRY), if missing => true,
        };
        if concerned {
            missing = !listeners
                .follow(
                    services::targets(&way.client, |service| way.faults.diverts_service(service)),
                    &way,
                    &connections,
                )
                .await;
        }
    }
}

/// What decides where a connection goes.
#[derive(Clone)]
struct Route {
    client: Client,
    faults: PlantedFaults,
}

/// The open listeners, each a task that ends when this is dropped.
#[derive(Default)]
struct Listeners(HashMap<(SocketAddrV4, Protocol), (ProxiedPort, JoinHandle<()>)>);

impl Listeners {
    /// Opens and closes listeners; returns whether all of them could be opened.
    async fn follow(
        &mut self,
        targets: HashMap<(SocketAddrV4, Protocol), ProxiedPort>,
        way: &Route,
        limit: &Arc<Semaphore>,
    ) -> bool {
        let gone: Vec<_> = self.0.extract_if(|key, (target, _)| targets.get(key) != Some(target)).collect();
        for (_, (_, task)) in gone {
            task.abort();
            // The address can't be bound again until its socket is closed.
            drop(task.await);
        }
        let mut all = true;
        for (key, target) in targets {
            if self.0.contains_key(&key) {
                continue;
            }
            let address = key.0;
            match open(address, &target, way, limit).await {
                Ok(task) => {
                    self.0.insert(key, (target, task));
                }
                Err(error) => {
                    all = false;
                    tracing::warn!(%address, service = %target.name, %error, "a service's address can't be bound");
                }
            }
        }
        all
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        self.0.values().for_each(|(_, task)| task.abort());
    }
}

async fn open(
    address: SocketAddrV4,
    target: &ProxiedPort,
    way: &Route,
    limit: &Arc<Semaphore>,
) -> io::Result<JoinHandle<()>> {
    let (target, way) = (target.clone(), way.clone());
    let task = match target.protocol {
        Protocol::Tcp => {
            let listener = TcpListener::bind(address).await?;
            tokio::spawn(serve(listener, target, way, Arc::clone(limit)))
        }
        Protocol::Udp => tokio::spawn(udp::serve(UdpSocket::bind(address).await?, target, way.client)),
    };
    Ok(task)
}

async fn serve(listener: TcpListener, target: ProxiedPort, way: Route, limit: Arc<Semaphore>) {
    let affinity = Affinity::new(target.affinity);
    loop {
        let Ok(permit) = Arc::clone(&limit).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, peer)) => {
                let endpoint = affinity.choose(peer.ip(), &services::endpoints(&way.client, &target));
                if way.faults.diverts_connection(target.service(), endpoint.is_some()) {
                    tokio::spawn(faults::not_found(stream, permit));
                } else {
                    tokio::spawn(carry(stream, endpoint, permit));
                }
            }
            Err(error) => {
                tracing::warn!(service = %target.name, %error, "a connection can't be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn carry(mut from: TcpStream, endpoint: Option<SocketAddr>, _permit: OwnedSemaphorePermit) {
    let connected = match endpoint {
        Some(endpoint) => timeout(CONNECT_TIMEOUT, connect(endpoint)).await,
        None => Ok(Err(io::ErrorKind::ConnectionRefused.into())),
    };
    let Ok(Ok(mut to)) = connected else {
        reset(&from);
        return;
    };
    // Small requests must not wait for each other's acknowledgements.
    let _ = (from.set_nodelay(true), to.set_nodelay(true));
    if tokio::io::copy_bidirectional(&mut from, &mut to).await.is_err() {
        reset(&from);
        reset(&to);
    }
}

async fn connect(endpoint: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_tos_v4(TOS_OF_SERVICES.into())?;
    socket.connect(endpoint).await
}

/// Makes the stream end with a reset instead of a regular end.
fn reset(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}

/// Returns an address as listeners use it.
fn address(ip: Ipv4Addr, port: i32) -> Option<SocketAddrV4> {
    Some(SocketAddrV4::new(ip, u16::try_from(port).ok()?))
}
