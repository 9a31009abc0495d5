//! The cluster's network as pods see it: names and service addresses.

pub mod dns;
pub mod proxy;
