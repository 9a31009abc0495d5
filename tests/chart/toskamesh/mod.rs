//! The umbrella chart of ToskaMesh.

mod order;
mod secrets;
mod values;

use std::path::PathBuf;

use crate::helm::{Chart, Render};

/// The chart.
pub const CHART: Chart = Chart("toskamesh");

/// The services, by their names in the values and in the objects.
const SERVICES: [(&str, &str); 8] = [
    ("core", "core"),
    ("discovery", "discovery"),
    ("authService", "auth-service"),
    ("configService", "config-service"),
    ("metricsService", "metrics-service"),
    ("tracingService", "tracing-service"),
    ("gateway", "gateway"),
    ("healthMonitor", "health-monitor"),
];

fn defaults() -> Render {
    CHART.render()
}

fn production() -> PathBuf {
    CHART.path().join("values-prod.yaml")
}

/// Returns the id of a service's Deployment.
fn deployment(service: &str) -> String {
    format!("Deployment/toskamesh-{service}")
}
