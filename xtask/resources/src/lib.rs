//! Resource quantities, what a pod requests, and which Pod Security rules it violates; shared by the harness and the
//! embedded node.

pub mod pod_requests;
pub mod pod_security;
pub mod quantity;
