//! A single probe, with kubelet's messages.

use std::net::Ipv4Addr;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, ExecAction, Probe, TCPSocketAction};

use super::dial::{dial, host, port_number};
use super::{Finding, http};
use crate::kubelet::command::{self, Outcome};
use crate::kubelet::time;

/// The target of a probe.
#[derive(Clone)]
pub(in crate::kubelet) struct Target {
    pub container: runtime::Container,
    pub spec: Container,
    pub ip: Ipv4Addr,
}

impl Target {
    /// Performs one probe, within its time limit.
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
            Finding::Failure("the probe has no action that the embedded cluster supports".to_owned())
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
