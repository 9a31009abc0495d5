//! The one place of the harness that starts processes: each child in a process group of its own, bounded
//! in time and output, its command line in the run's events and its whole output in the run's directory.

mod child;
mod command;
mod error;
pub mod known;
mod log;
mod quote;
pub mod redact;
pub mod secrets;
mod values;

pub use command::{Cmd, Output};
pub use error::{CommandError, Ended};
pub use log::Launcher;
pub use quote::{quote, quote_line};

#[cfg(test)]
mod tests;
