//! The cluster's name server: services, their pods and nothing else.

use std::net::Ipv4Addr;

use crate::client::Client;
use crate::faults::Planted;

/// Answers names on port 53 of these addresses, over UDP and TCP, until dropped.
///
/// # Errors
/// Where an address can't be bound.
pub async fn run(client: Client, faults: Planted, addresses: &[Ipv4Addr]) -> std::io::Result<()> {
    let _ = (client, faults, addresses);
    std::future::pending().await
}
