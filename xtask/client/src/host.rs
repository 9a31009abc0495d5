//! A host in the cluster, as the program inside sees it.

use std::time::Duration;

use crate::connection::Connection;
use crate::exec;
use crate::reach::Reach;
use crate::request::Protocol;
use crate::response::{Failure, Response};
use crate::target::Target;
use crate::template::Secrets;

/// A host in the cluster, as seen from this program.
pub struct Host {
    /// Its name.
    pub name: String,
    /// Its ports.
    pub reach: Reach,
}

impl Target for Host {
    fn reach(&self) -> &Reach {
        &self.reach
    }

    fn host(&self) -> &str {
        &self.name
    }

    async fn connect(&self, protocol: Protocol, secrets: &Secrets, timeout: Duration) -> Result<Connection, Failure> {
        Connection::open(&self.name, protocol, (&self.reach, secrets), timeout).await
    }

    async fn run(&self, words: Vec<String>, _: Option<&str>, timeout: Duration) -> Result<Response, Failure> {
        exec::run(words, timeout).await
    }
}
