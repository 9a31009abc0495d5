//! The cluster's network as pods see it: names and service addresses.

pub(crate) mod dns;
pub(crate) mod proxy;
