//! What the controllers' tests share.

use crate::client::Client;
use crate::registry::Registry;

/// A client of an empty registry.
pub fn client() -> Client {
    Client::new(Registry::new())
}
