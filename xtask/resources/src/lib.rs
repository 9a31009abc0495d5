//! Resource quantities, and what a pod requests; shared by the harness and the embedded node.

pub mod pod_requests;
pub mod quantity;
