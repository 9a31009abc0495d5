//! What the chart of Caesium renders: for each of its `ci/*.yaml`, each value and each optional part.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on fails")]

mod effects;
mod helm;
mod manifests;
mod names;
mod notes;
mod pod_security;
mod readme;
mod schema;
mod start;
mod variants;
