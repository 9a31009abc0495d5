//! What the controllers' tests share.

use std::sync::Arc;

use crate::client::Client;
use crate::registry::Registry;
use crate::store::Store;

/// A client of an empty registry.
pub fn client() -> Client {
    Client::new(Arc::new(Registry { store: Arc::new(Store::default()) }))
}
