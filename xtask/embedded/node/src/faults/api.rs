//! Faults of the API server.

use std::time::Duration;

use axum::http::Method;
use embedded::faults::FaultKind;
use tokio::time::Instant;

use super::PlantedFaults;
use crate::status::Status;

impl PlantedFaults {
    /// Returns the error of a call, if a fault strikes it; does not return if the call hangs. A fault's target is
    /// `VERB resource`, `VERB resource/subresource`, or either of them followed by a space and the object's name.
    pub(crate) async fn api_call(&self, method: &Method, resource: &str, name: Option<&str>) -> Option<Status> {
        let call = format!("{method} {resource}");
        let named = format!("{call} {}", name.unwrap_or_default());
        let is_api = |what: &FaultKind| {
            matches!(
                what,
                FaultKind::ApiFails { .. } | FaultKind::ApiHangs | FaultKind::ApiRefuses { .. } | FaultKind::NodeDies
            )
        };
        match self.strike(&call, is_api).or_else(|| self.strike(&named, is_api))? {
            FaultKind::ApiFails { code, message } => {
                let message = if message.is_empty() { format!("planted: {call}") } else { message };
                Some(Status::new(code, reason(code), message))
            }
            FaultKind::NodeDies => die(&call),
            FaultKind::ApiRefuses { seconds } => {
                self.refuse_for(seconds);
                std::future::pending().await
            }
            _ => std::future::pending().await,
        }
    }

    fn refuse_for(&self, seconds: u64) {
        self.refuses_until.send_replace(Some(Instant::now() + Duration::from_secs(seconds)));
    }

    /// Returns whether the API server refuses everything now.
    pub(crate) fn refuses(&self) -> bool {
        self.refuses_until.borrow().is_some_and(|until| Instant::now() < until)
    }

    /// Waits until the API server refuses everything.
    pub(crate) async fn refusal(&self) {
        let mut until = self.refuses_until.subscribe();
        let refuses = |until: &Option<Instant>| until.is_some_and(|until| Instant::now() < until);
        // The sender lives as long as `self`.
        drop(until.wait_for(refuses).await);
    }

    /// Returns whether a new watch of a resource ends after its first event.
    pub(crate) fn breaks_watch(&self, resource: &str) -> bool {
        self.strikes(resource, &FaultKind::WatchBreaks)
    }

    /// Returns whether a new watch of a resource has expired.
    pub(crate) fn expires_watch(&self, resource: &str) -> bool {
        self.strikes(resource, &FaultKind::WatchExpires)
    }

    /// Returns whether a new port-forward to a pod drops as soon as it is up.
    pub(crate) fn drops_port_forward(&self, pod: &str) -> bool {
        self.strikes(pod, &FaultKind::PortForwardDrops)
    }
}

fn reason(code: u16) -> &'static str {
    match code {
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        429 => "TooManyRequests",
        503 => "ServiceUnavailable",
        _ => "InternalError",
    }
}

/// Ends the node's process, and with it everything that runs on the node.
fn die(call: &str) -> ! {
    tracing::error!("planted: the node's process ends at {call}");
    std::process::exit(1)
}
