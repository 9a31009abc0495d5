//! The complete kind path, against fakes of kind and docker that replay recordings.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't continue fails")]

mod bench;
mod changes;
mod cluster;
#[path = "../command.rs"]
mod command;
mod doubles;
#[path = "../node_program.rs"]
mod node_program;
#[path = "../e2e/scene.rs"]
#[expect(dead_code, reason = "shared with the tests of whole runs, which use more of it")]
mod run;
mod scene;
mod traffic;
mod whole;
