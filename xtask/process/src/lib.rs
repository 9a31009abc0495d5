//! Starts every child process of the harness: each in its own process group, with limits on time and output. Its command
//! line goes into the run's events, its complete output into the run's directory.
//!
//! It knows commands, how they end and their output. It must not know which tools there are.

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
