//! The application as the suite file describes it: how it is asked, its members, its leader.

use std::time::Duration;

use serde::Deserialize;

use super::template::Template;
use super::{Pointer, Request};

/// How the application is asked.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// The containers' port.
    pub port: u16,
    /// Answers 200 when the replica is healthy.
    pub health: Template,
    /// After which one request is given up, in milliseconds.
    #[serde(default = "default_request_timeout_ms")]
    pub request_timeout_ms: u64,
}

impl Http {
    /// After which one request is given up.
    pub fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.request_timeout_ms)
    }
}

/// How the application tells its members.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Members {
    /// The request; every pod is asked.
    pub request: Request,
    /// JSON pointer to the list in the answer.
    pub items: Pointer,
    /// JSON pointer to what identifies a member in an item.
    pub name: Pointer,
    /// JSON pointer to the role in an item; without it every item is a voter.
    #[serde(default)]
    pub role: Option<Pointer>,
    /// The role that votes.
    #[serde(default = "default_voter")]
    pub voter: String,
    /// The roles of members; items of any other role are none.
    #[serde(default)]
    pub roles: Vec<String>,
    /// How long a dead member may count before it is demoted, in seconds.
    #[serde(default)]
    pub demotion_s: u64,
}

/// How the application tells its leader.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leader {
    /// The request; every pod is asked.
    pub request: Request,
    /// JSON pointer to who leads, as the answering pod knows it.
    pub leader: Pointer,
    /// JSON pointer to what the answering pod is called itself. Without it the leader's name is its
    /// pod's IP, with or without a port, or its pod's name.
    #[serde(default)]
    pub own: Option<Pointer>,
}

fn default_request_timeout_ms() -> u64 {
    2000
}

fn default_voter() -> String {
    "voter".to_owned()
}
