//! Starts every child process of the harness: each in a process group of its own, bounded in time and output, its command
//! line in the run's events and its whole output in the run's directory.
//!
//! It knows commands, their end and their output. It must not know which tools there are.

mod child;
mod command;
mod error;
mod log;
mod quote;

pub use command::{Cmd, Output};
pub use error::{CommandError, Ended};
pub use log::Launcher;
pub use quote::{quote, quote_line};

#[cfg(test)]
mod tests;
