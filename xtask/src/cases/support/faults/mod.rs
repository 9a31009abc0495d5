//! The faults that last, one file each: how each begins. A case holds it for a while and heals it.

pub mod disk;
pub mod dns_outage;
pub mod partition;
pub mod pause;
pub mod slow_network;
pub mod traffic;
