//! The container runtime of the embedded node: image archives, pod sandboxes, containers.
//!
//! It plays the part of containerd and runc behind kubelet and knows nothing of Kubernetes. All of
//! it lives in namespaces that die with the node's process, and in one directory.

pub mod spec;
