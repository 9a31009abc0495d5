//! Starts, controls and stops an embedded cluster: a small Kubernetes in one process of the program `embedded-node`.
//!
//! This package is what is needed to start a cluster, the changes that faults make on its node, and the faults that can
//! be planted. The cluster itself is the package `node`, about which this package knows only the command line, the options file, the first line of output and
//! the calls below `/chartproof/`.

pub mod changes;
pub mod cluster;
pub mod faults;
mod host_images;
pub mod traffic;
