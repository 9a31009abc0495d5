//! The application under load: clients, their recorded operations, and reading records back.

pub mod client_pod;
pub mod clients;
pub mod inside;
pub mod members;
pub mod read_back;
mod readiness;
pub mod recorder;
