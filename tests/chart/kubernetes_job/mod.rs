//! The chart for jobs.

mod values;
mod variants;

use crate::helm::{Chart, Render};

/// The chart.
pub const CHART: Chart = Chart("kubernetes-job");

fn defaults() -> Render {
    CHART.render()
}
