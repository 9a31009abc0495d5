//! Resource quantities, and what a pod requests: for the harness and for the embedded node.

pub mod pod_requests;
pub mod quantity;
