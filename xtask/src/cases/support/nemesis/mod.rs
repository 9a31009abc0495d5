//! A nemesis: several faults in sequence, which may overlap, drawn from a seed or written by the suite.

pub mod attempt;
mod fresh;
pub mod sequence;
mod shrink;
pub mod shrunk;
