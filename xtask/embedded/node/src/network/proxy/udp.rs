//! UDP to a service's address: each client has a socket of its own towards its endpoint, as long as packets flow.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use runtime::TOS_OF_SERVICES;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::affinity::Affinity;
use super::services::{self, ProxiedPort};
use crate::client::Client;

/// A client without packets in either direction is forgotten after this time.
const IDLE: Duration = Duration::from_secs(60);
/// How many clients one port has at a time; packets of further ones are dropped.
const CLIENTS_MAX: usize = 1024;
/// How many packets of one client may wait to be forwarded; further ones are dropped.
const WAITING_MAX: usize = 64;
const PACKET_BYTES_MAX: usize = 65_536;

type Clients = Arc<Mutex<HashMap<SocketAddr, mpsc::Sender<Vec<u8>>>>>;

/// Forwards packets until dropped.
pub async fn serve(socket: UdpSocket, target: ProxiedPort, client: Client) {
    let socket = Arc::new(socket);
    let affinity = Affinity::new(target.affinity);
    let clients = Clients::default();
    let mut buffer = vec![0; PACKET_BYTES_MAX];
    loop {
        let Ok((length, peer)) = socket.recv_from(&mut buffer).await else { continue };
        let known = lock(&clients).get(&peer).cloned();
        let sender = match known {
            Some(sender) => sender,
            None if lock(&clients).len() >= CLIENTS_MAX => continue,
            None => {
                let endpoint = affinity.choose(peer.ip(), &services::endpoints(&client, &target));
                let Some(endpoint) = endpoint else { continue };
                let (sender, packets) = mpsc::channel(WAITING_MAX);
                lock(&clients).insert(peer, sender.clone());
                tokio::spawn(carry(Arc::clone(&socket), peer, endpoint, packets, Arc::clone(&clients)));
                sender
            }
        };
        // Like any network that can't deliver a packet: drop it.
        let _ = sender.try_send(buffer[..length].to_vec());
    }
}

fn lock(clients: &Clients) -> std::sync::MutexGuard<'_, HashMap<SocketAddr, mpsc::Sender<Vec<u8>>>> {
    clients.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn carry(
    socket: Arc<UdpSocket>,
    peer: SocketAddr,
    endpoint: SocketAddr,
    mut packets: mpsc::Receiver<Vec<u8>>,
    clients: Clients,
) {
    if let Err(error) = exchange(&socket, peer, endpoint, &mut packets).await {
        tracing::debug!(%peer, %endpoint, %error, "a client's packets can't be forwarded");
    }
    lock(&clients).remove(&peer);
}

async fn exchange(
    socket: &UdpSocket,
    peer: SocketAddr,
    endpoint: SocketAddr,
    packets: &mut mpsc::Receiver<Vec<u8>>,
) -> std::io::Result<()> {
    let near = UdpSocket::bind("0.0.0.0:0").await?;
    near.set_tos_v4(TOS_OF_SERVICES.into())?;
    near.connect(endpoint).await?;
    let mut buffer = vec![0; PACKET_BYTES_MAX];
    let step = async |buffer: &mut Vec<u8>, packets: &mut mpsc::Receiver<Vec<u8>>| {
        tokio::select! {
            Some(packet) = packets.recv() => near.send(&packet).await,
            length = near.recv(buffer) => socket.send_to(&buffer[..length?], peer).await,
        }
    };
    while let Ok(outcome) = timeout(IDLE, step(&mut buffer, packets)).await {
        outcome?;
    }
    Ok(())
}
