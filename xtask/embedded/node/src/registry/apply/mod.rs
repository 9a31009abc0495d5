//! Server-side apply: who owns which field, and how an applied document is merged into the live object.
//!
//! The rules are those of Kubernetes' structured-merge-diff.

pub(crate) mod managers;
pub(crate) mod set;
pub(crate) mod typed;
pub(crate) mod types;
