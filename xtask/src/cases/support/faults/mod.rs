//! The faults that last, one file each: how each begins. A case holds it for a while and heals it.

pub mod disk;
pub mod pause;
