//! How an application is asked for its records: requests filled in, sent over any connection, their answers judged.
//!
//! The harness asks pods over port-forwards; the program `chartproof-client` of this crate asks from inside the
//! cluster, through the Service. Both are the same [`team`]. Knows nothing of Kubernetes.

pub mod application;
pub mod http;
pub mod inside;
pub mod records;
pub mod team;
pub mod template;
