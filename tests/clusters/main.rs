//! Clusters that outlive a run, as users work with them: `cargo xtask cluster up`, existing clusters by context,
//! `--reuse` and `--keep`; the real binary on embedded clusters.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't continue fails")]

#[path = "../command.rs"]
mod command;
mod existing;
mod helm_3;
#[path = "../e2e/left.rs"]
mod left;
mod reuse;
#[path = "../e2e/scene.rs"]
mod scene;
mod up;
