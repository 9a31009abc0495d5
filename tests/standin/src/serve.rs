//! HTTP servers: opened unless a planted fault prevents it, drained after SIGTERM.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Json, Response};
use serde_json::json;
use tokio::net::TcpListener;

use crate::faults::{Fault, Faults};
use crate::log;
use crate::shutdown::Signals;

/// How long open requests may take after SIGTERM.
const DRAIN_MAX: Duration = Duration::from_secs(10);

/// Serves on all addresses until SIGTERM, then drains. The router is created right before the server opens.
pub async fn serve(port: u16, faults: &Faults, mut signals: Signals, router: impl FnOnce() -> Router) -> Result<()> {
    if opens(faults, &mut signals).await {
        let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, planted_port(port, faults)?));
        let listener = TcpListener::bind(address).await.with_context(|| format!("http can't listen on {address}"))?;
        log::info(format_args!("http listening on {}", listener.local_addr()?));
        drain(listener, router(), signals).await?;
    }
    log::info("ended");
    Ok(())
}

/// Waits until no planted fault keeps HTTP closed; returns false if SIGTERM came first.
async fn opens(faults: &Faults, signals: &mut Signals) -> bool {
    let due = async {
        if faults.has(Fault::NeverReady) {
            log::warn("fault never-ready: http stays closed");
            std::future::pending::<()>().await;
        }
        if let Some(after) = faults.after(Fault::SlowStart) {
            log::warn(format_args!("fault slow-start: http opens in {after:?}"));
            tokio::time::sleep(after).await;
        }
    };
    tokio::select! {
        () = due => true,
        () = signals.terminate() => false,
    }
}

fn planted_port(port: u16, faults: &Faults) -> Result<u16> {
    match faults.count(Fault::WrongPort) {
        None => Ok(port),
        Some(0) => port.checked_add(1).context("fault wrong-port: there is no port after this one"),
        Some(wrong) => u16::try_from(wrong).context("fault wrong-port"),
    }
}

async fn drain(listener: TcpListener, router: Router, mut signals: Signals) -> Result<()> {
    let (asked, mut drain) = tokio::sync::watch::channel(false);
    let graceful = async move {
        signals.terminate().await;
        let _ = asked.send(true);
    };
    let served = axum::serve(listener, router).with_graceful_shutdown(graceful);
    let overdue = async {
        let _ = drain.wait_for(|asked| *asked).await;
        tokio::time::sleep(DRAIN_MAX).await;
    };
    tokio::select! {
        result = served => result.context("http"),
        () = overdue => {
            log::warn(format_args!("http not drained after {DRAIN_MAX:?}"));
            Ok(())
        }
    }
}

/// The planted faults of health endpoints.
#[derive(Clone)]
pub struct HealthFaults {
    faults: Faults,
    opened: Instant,
}

impl HealthFaults {
    /// Starts their clocks.
    pub fn new(faults: &Faults) -> Self {
        Self { faults: faults.clone(), opened: Instant::now() }
    }

    /// Hangs or delays as planted; returns whether the response must be 503.
    pub async fn act(&self) -> bool {
        let due = |fault| self.faults.after(fault).is_some_and(|after| self.opened.elapsed() >= after);
        if due(Fault::HealthHangs) {
            log::warn("fault health-hangs: health does not respond");
            return std::future::pending().await;
        }
        if let Some(delay) = self.faults.after(Fault::SlowHealth) {
            tokio::time::sleep(delay).await;
        }
        if due(Fault::Health503) {
            log::warn("fault health-503: health returns 503");
            return true;
        }
        false
    }
}

/// Returns a response with only a message.
pub fn message(status: StatusCode, text: impl Into<String>) -> Response {
    (status, Json(json!({ "message": text.into() }))).into_response()
}
