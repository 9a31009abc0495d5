//! The contract of the stand-in, on real processes on loopback addresses.

mod api;
mod cluster;
mod faults;
mod modes;
mod pools;
mod refusals;
mod replaced;
mod restart;
mod shutdown;
#[cfg(test)]
mod support;
