//! A probe's connection, with the error messages of Go's `net`.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use k8s_openapi::api::core::v1::Container;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Returns the address that a probe names, or the pod's own.
pub(super) fn host(named: Option<&str>, pod: Ipv4Addr) -> IpAddr {
    named.and_then(|host| host.parse().ok()).unwrap_or(IpAddr::V4(pod))
}

/// Returns a port by number, or by its name among the container's ports.
pub(super) fn port_number(port: &IntOrString, container: &Container) -> Option<u16> {
    match port {
        IntOrString::Int(number) => u16::try_from(*number).ok(),
        IntOrString::String(text) => {
            let named = container.ports.iter().flatten().find(|p| p.name.as_ref() == Some(text));
            named.map_or_else(|| text.parse().ok(), |p| u16::try_from(p.container_port).ok())
        }
    }
}

/// Connects; a failure has the message of Go's `net`.
pub(super) async fn dial(host: IpAddr, port: u16, limit: Duration) -> Result<TcpStream, String> {
    let address = SocketAddr::new(host, port);
    match timeout(limit, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(format!("dial tcp {address}: connect: {}", errno(&error))),
        Err(_) => Err(format!("dial tcp {address}: i/o timeout")),
    }
}

/// Formats an error as C's `strerror`, in lower case.
fn errno(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        ErrorKind::HostUnreachable => "no route to host".to_owned(),
        ErrorKind::NetworkUnreachable => "network is unreachable".to_owned(),
        ErrorKind::ConnectionReset => "connection reset by peer".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_closed_port_is_reported_as_by_go() {
        let port = {
            let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            listener.local_addr().unwrap().port()
        };
        let error = dial(Ipv4Addr::LOCALHOST.into(), port, Duration::from_secs(5)).await.unwrap_err();
        assert_eq!(error, format!("dial tcp 127.0.0.1:{port}: connect: connection refused"));
    }

    #[test]
    fn ports_are_found_by_number_or_name() {
        let json = serde_json::json!({"name": "main", "ports": [{"name": "http", "containerPort": 8080}]});
        let container: Container = serde_json::from_value(json).unwrap();
        assert_eq!(port_number(&IntOrString::Int(80), &container), Some(80));
        assert_eq!(port_number(&IntOrString::String("http".into()), &container), Some(8080));
        assert_eq!(port_number(&IntOrString::String("81".into()), &container), Some(81));
        assert_eq!(port_number(&IntOrString::String("none".into()), &container), None);
    }
}
