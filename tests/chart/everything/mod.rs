//! The charts of Everything.

pub mod database;
mod environments;
mod services;

use crate::helm::{Chart, Render};

/// Its HTTP server.
pub const SERVER: Chart = Chart("everything/server");

/// Its orders.
pub const ORDER: Chart = Chart("everything/order-service");

/// Its customers.
pub const CUSTOMER: Chart = Chart("everything/customer-service");

/// The services, with the aliases under which they have their values.
const SERVICES: [(Chart, &str); 3] = [(SERVER, "server"), (ORDER, "order"), (CUSTOMER, "customer")];

/// A service as deployed to an environment.
fn deployed(chart: Chart, environment: &str) -> Render {
    let service = chart.0.trim_start_matches("everything/");
    let values = |name: &str| SERVER.path().join(format!("../values/apps/{service}/{name}.yaml"));
    chart.render().file(&values("common")).file(&values(environment))
}
