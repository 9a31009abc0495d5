//! The chart for web services.

mod migration;
mod refusals;
mod values;
mod variants;
mod waiting;

use crate::helm::{Chart, Render};

/// The chart.
pub const CHART: Chart = Chart("web-service");

fn defaults() -> Render {
    CHART.render()
}
