//! The application under load: what clients ask, what they recorded, what was read back.

pub mod application;
pub mod clients;
pub mod members;
pub mod read_back;
pub mod recorder;
