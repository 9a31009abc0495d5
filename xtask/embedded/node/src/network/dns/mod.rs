//! The cluster's name server: resolves only services and their pods, over UDP and TCP.
//!
//! Every question is answered from what is stored at that moment: there is no index that could lag behind.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::client::Client;
use crate::faults::PlantedFaults;

mod message;
#[cfg(test)]
mod tests;
mod zone;

use message::{ParsedPacket, Query, Response};

/// How many TCP connections are served at a time; further ones wait.
const CONNECTIONS_MAX: usize = 64;
/// A TCP client that is silent for this long is disconnected.
const IDLE: Duration = Duration::from_secs(10);
/// The longest UDP packet that is read; longer ones are truncated and then malformed.
const UDP_MAX_BYTES: usize = 4096;

/// Serves on port 53 of these addresses until dropped.
///
/// # Errors
/// If an address can't be bound.
pub async fn run(client: Client, faults: PlantedFaults, addresses: &[Ipv4Addr]) -> io::Result<()> {
    let server = Arc::new(Server { client, faults, connections: Semaphore::new(CONNECTIONS_MAX) });
    let mut tasks = JoinSet::new();
    for address in addresses {
        let address = SocketAddr::from((*address, 53));
        tasks.spawn(udp(Arc::clone(&server), UdpSocket::bind(address).await?));
        tasks.spawn(tcp(Arc::clone(&server), TcpListener::bind(address).await?));
    }
    while tasks.join_next().await.is_some() {}
    Ok(())
}

struct Server {
    client: Client,
    faults: PlantedFaults,
    connections: Semaphore,
}

impl Server {
    /// Returns the response to a packet in at most `limit` bytes, or `None` if the packet is not a question.
    fn answer(&self, packet: &[u8], limit: Option<usize>) -> Option<Vec<u8>> {
        let query = match message::parse(packet) {
            ParsedPacket::Query(query) => query,
            ParsedPacket::Refused(answer) => return Some(answer),
            ParsedPacket::Nothing => return None,
        };
        let planted = self.faults.breaks_name(&query.name);
        let response = if planted { Response::failure() } else { self.look_up(&query) };
        let limit = limit.unwrap_or_else(|| query.udp_bytes_max());
        message::encode(&query, &response, limit)
    }

    fn look_up(&self, query: &Query) -> Response {
        zone::look_up(&self.client, query)
    }
}

async fn udp(server: Arc<Server>, socket: UdpSocket) {
    let mut buffer = vec![0; UDP_MAX_BYTES];
    loop {
        match socket.recv_from(&mut buffer).await {
            Ok((length, peer)) => {
                if let Some(answer) = server.answer(&buffer[..length], None) {
                    // The client may be gone, which does not matter.
                    let _ = socket.send_to(&answer, peer).await;
                }
            }
            Err(error) => tracing::debug!(%error, "a name server's socket failed to receive"),
        }
    }
}

async fn tcp(server: Arc<Server>, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let server = Arc::clone(&server);
                tokio::spawn(async move {
                    let Ok(_permit) = server.connections.acquire().await else { return };
                    if let Err(error) = connection(&server, stream).await {
                        tracing::debug!(%error, "a name server's connection ended early");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the name server can't accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection(server: &Server, mut stream: TcpStream) -> io::Result<()> {
    loop {
        let length = match timeout(IDLE, stream.read_u16()).await? {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            length => usize::from(length?),
        };
        let mut packet = vec![0; length];
        timeout(IDLE, stream.read_exact(&mut packet)).await??;
        let Some(answer) = server.answer(&packet, Some(usize::from(u16::MAX))) else { return Ok(()) };
        let length = u16::try_from(answer.len()).unwrap_or(u16::MAX);
        timeout(IDLE, stream.write_all(&[&length.to_be_bytes(), answer.as_slice()].concat())).await??;
    }
}
