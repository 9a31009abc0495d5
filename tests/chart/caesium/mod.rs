//! The chart of Caesium.

mod names;
mod notes;
mod schema;
mod start;
mod values;
mod variants;

use crate::helm::{Chart, Render};

/// The chart.
pub const CHART: Chart = Chart("caesium");

/// Values of the chart that are checked as a whole: Kubernetes defines their content.
const WHOLES: [&str; 9] = [
    "discovery.resources",
    "persistence.retentionPolicy",
    "resources",
    "updateStrategy",
    "startupProbe",
    "readinessProbe",
    "livenessProbe",
    "podSecurityContext",
    "securityContext",
];

fn defaults() -> Render {
    CHART.render()
}
