//! `cargo xtask e2e` as people run it: the real binary, on the embedded cluster where it needs one.

mod faults;
mod green;
mod interrupt;
mod left;
mod scene;
mod usage;
