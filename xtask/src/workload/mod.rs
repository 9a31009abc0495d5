//! The application under load: what clients ask, what they recorded, what was read back.

pub mod clients;
pub mod inside;
pub mod members;
pub mod read_back;
pub mod recorder;
