//! The charts' renderings: for each of their `ci/*.yaml`, each value and each optional part.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't continue fails")]

mod caesium;
#[path = "../command.rs"]
mod command;
mod effects;
mod every_chart;
mod everything;
mod helm;
mod kubernetes_job;
mod manifests;
mod pod_security;
mod readme;
mod refusals;
mod toskamesh;
mod web_service;
