//! Server-side apply: who owns which field, and merging what is applied into what is there.
//!
//! The rules are those of Kubernetes' structured-merge-diff.

pub(crate) mod managers;
pub(crate) mod set;
pub(crate) mod typed;
