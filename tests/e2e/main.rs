//! `cargo xtask e2e` as users run it: the real binary, on the embedded cluster if it needs one.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't continue fails")]

#[path = "../command.rs"]
mod command;
mod faults;
mod full_disk;
mod green;
mod installed;
mod interrupt;
mod left;
mod redaction;
mod scene;
mod usage;
