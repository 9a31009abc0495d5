//! A single probe, in the words of kubelet.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, ExecAction, Probe, TCPSocketAction};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Finding, http};
use crate::kubelet::command::{self, Outcome};
use crate::kubelet::time;

/// What a probe looks at.
#[derive(Clone)]
pub(in crate::kubelet) struct Target {
    pub container: runtime::Container,
    pub spec: Container,
    pub ip: Ipv4Addr,
}

impl Target {
    /// One probe, within its time.
    pub async fn check(&self, probe: &Probe) -> Finding {
        let limit = time::seconds(probe.timeout_seconds, 1).max(Duration::from_secs(1));
        if let Some(action) = &probe.exec {
            self.exec(action, limit).await
        } else if let Some(action) = &probe.http_get {
            match http::get(action, &self.spec, self.ip, limit).await {
                Ok(code) if (200..400).contains(&code) => Finding::Success,
                Ok(code) => Finding::Failure(format!("HTTP probe failed with statuscode: {code}")),
                Err(why) => Finding::Failure(why),
            }
        } else if let Some(action) = &probe.tcp_socket {
            self.tcp(action, limit).await
        } else {
            Finding::Failure("the probe has no action that the embedded cluster knows".to_owned())
        }
    }

    async fn exec(&self, action: &ExecAction, limit: Duration) -> Finding {
        let argv = action.command.as_deref().unwrap_or_default();
        match command::run(&self.container, argv, Some(limit)).await {
            Outcome::Ended(0, _) => Finding::Success,
            Outcome::Ended(_, output) => Finding::Failure(output),
            Outcome::TimedOut => {
                let line = argv.join(" ");
                Finding::Failure(format!("command timed out: {line:?} timed out after {}s", limit.as_secs()))
            }
            Outcome::NotStarted(why) => Finding::Failure(why),
        }
    }

    async fn tcp(&self, action: &TCPSocketAction, limit: Duration) -> Finding {
        let Some(port) = port_number(&action.port, &self.spec) else {
            return Finding::Failure(format!("couldn't find port: {:?}", action.port));
        };
        match dial(host(action.host.as_deref(), self.ip), port, limit).await {
            Ok(_) => Finding::Success,
            Err(why) => Finding::Failure(why),
        }
    }
}

/// The address that a probe names, or the pod's own.
pub(super) fn host(named: Option<&str>, pod: Ipv4Addr) -> IpAddr {
    named.and_then(|host| host.parse().ok()).unwrap_or(IpAddr::V4(pod))
}

/// A port by number, or by its name among the container's ports.
pub(in crate::kubelet) fn port_number(port: &IntOrString, container: &Container) -> Option<u16> {
    match port {
        IntOrString::Int(number) => u16::try_from(*number).ok(),
        IntOrString::String(text) => {
            let named = container.ports.iter().flatten().find(|p| p.name.as_ref() == Some(text));
            named.map_or_else(|| text.parse().ok(), |p| u16::try_from(p.container_port).ok())
        }
    }
}

/// Connects, or says why not as Go's `net` does.
pub(super) async fn dial(host: IpAddr, port: u16, limit: Duration) -> Result<TcpStream, String> {
    let address = SocketAddr::new(host, port);
    match timeout(limit, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(format!("dial tcp {address}: connect: {}", errno(&error))),
        Err(_) => Err(format!("dial tcp {address}: i/o timeout")),
    }
}

/// An error as C's `strerror` words it, in lower case.
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
    async fn a_closed_port_is_refused_in_gos_words() {
        let port = {
            let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            listener.local_addr().unwrap().port()
        };
        let error = dial(Ipv4Addr::LOCALHOST.into(), port, Duration::from_secs(5)).await.unwrap_err();
        assert_eq!(error, format!("dial tcp 127.0.0.1:{port}: connect: connection refused"));
    }

    #[test]
    fn ports_have_numbers_or_names() {
        let json = serde_json::json!({"name": "main", "ports": [{"name": "http", "containerPort": 8080}]});
        let container: Container = serde_json::from_value(json).unwrap();
        assert_eq!(port_number(&IntOrString::Int(80), &container), Some(80));
        assert_eq!(port_number(&IntOrString::String("http".into()), &container), Some(8080));
        assert_eq!(port_number(&IntOrString::String("81".into()), &container), Some(81));
        assert_eq!(port_number(&IntOrString::String("none".into()), &container), None);
    }
}
