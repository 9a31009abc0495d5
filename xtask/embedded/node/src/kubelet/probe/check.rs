//! A single probe, with kubelet's messages.

use std::net::Ipv4Addr;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, ExecAction, Probe, TCPSocketAction};

use super::dial::{dial, host, port_number};
use super::{ProbeResult, http};
use crate::kubelet::command::{self, CommandOutcome};
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
    pub async fn check(&self, probe: &Probe) -> ProbeResult {
        let limit = time::seconds(probe.timeout_seconds, 1).max(Duration::from_secs(1));
        if let Some(action) = &probe.exec {
            self.exec(action, limit).await
        } else if let Some(action) = &probe.http_get {
            match http::get(action, &self.spec, self.ip, limit).await {
                Ok(code) if (200..400).contains(&code) => ProbeResult::Success,
                Ok(code) => ProbeResult::Failure(format!("HTTP probe failed with statuscode: {code}")),
                Err(why) => ProbeResult::Failure(why),
            }
        } else if let Some(action) = &probe.tcp_socket {
            self.tcp(action, limit).await
        } else {
            ProbeResult::Failure("the probe has no action that the embedded cluster supports".to_owned())
        }
    }

    async fn exec(&self, action: &ExecAction, limit: Duration) -> ProbeResult {
        let argv = action.command.as_deref().unwrap_or_default();
        match command::run(&self.container, argv, Some(limit)).await {
            CommandOutcome::Ended(0, _) => ProbeResult::Success,
            CommandOutcome::Ended(_, output) => ProbeResult::Failure(output),
            CommandOutcome::TimedOut => {
                let line = argv.join(" ");
                ProbeResult::Failure(format!("command timed out: {line:?} timed out after {}s", limit.as_secs()))
            }
            CommandOutcome::NotStarted(why) => ProbeResult::Failure(why),
        }
    }

    async fn tcp(&self, action: &TCPSocketAction, limit: Duration) -> ProbeResult {
        let Some(port) = port_number(&action.port, &self.spec) else {
            return ProbeResult::Failure(format!("couldn't find port: {:?}", action.port));
        };
        match dial(host(action.host.as_deref(), self.ip), port, limit).await {
            Ok(_) => ProbeResult::Success,
            Err(why) => ProbeResult::Failure(why),
        }
    }
}
