//! The application as the suite file describes it: its HTTP interface, its members, its leader.

use std::time::Duration;

use serde::Deserialize;

use super::template::Template;
use super::{Pointer, Request};

/// The application's HTTP interface.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// The containers' port.
    pub port: u16,
    /// The path that returns 200 if the replica is healthy, if there is one.
    #[serde(default)]
    pub health: Option<Template>,
    /// The time limit of one request, in milliseconds.
    #[serde(default = "default_request_timeout_ms")]
    pub request_timeout_ms: u64,
}

impl Http {
    /// Returns the time limit of one request.
    pub fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.request_timeout_ms)
    }
}

/// How the application lists its members.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Members {
    /// The request, sent to every pod.
    pub request: Request,
    /// JSON pointer to the list in the response.
    pub items: Pointer,
    /// JSON pointer to a member's identity in an item.
    pub name: Pointer,
    /// JSON pointer to the role in an item; without it every item is a voter.
    #[serde(default)]
    pub role: Option<Pointer>,
    /// The role of voters.
    #[serde(default = "default_voter")]
    pub voter: String,
    /// The roles of members; items with any other role are not members.
    #[serde(default)]
    pub roles: Vec<String>,
    /// How long a dead member may remain a voter, in seconds.
    #[serde(default)]
    pub demotion_s: u64,
}

/// How the application reports its leader.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leader {
    /// The request, sent to every pod.
    pub request: Request,
    /// JSON pointer to the leader that the responding pod reports.
    pub leader: Pointer,
    /// JSON pointer to the responding pod's own name. Without it, the leader's name is its pod's IP, with or without a
    /// port, or its pod's name.
    #[serde(default)]
    pub own: Option<Pointer>,
}

fn default_request_timeout_ms() -> u64 {
    2000
}

fn default_voter() -> String {
    "voter".to_owned()
}
