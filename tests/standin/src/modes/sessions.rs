//! The connections that clients keep open to a `db`: counted by user, and limited in number.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::{Body, Bytes};
use serde_json::{Value, json};
use tokio::sync::watch;

/// All connections.
#[derive(Debug)]
pub struct Sessions {
    max: usize,
    open: Mutex<Open>,
    ended: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Open {
    by_user: BTreeMap<String, usize>,
    peak: usize,
}

impl Open {
    fn all(&self) -> usize {
        self.by_user.values().sum()
    }
}

/// One connection, closed when this is dropped.
struct Session {
    sessions: Arc<Sessions>,
    user: String,
}

impl Sessions {
    /// Returns a set that allows this many connections.
    pub fn new(max: usize) -> Self {
        Self { max, open: Mutex::default(), ended: watch::Sender::new(false) }
    }

    /// Opens a connection: a body that starts at once and lasts until the client leaves or all are ended. Returns the
    /// reason if there are too many.
    pub fn open(self: &Arc<Self>, user: &str) -> Result<Body, String> {
        let mut open = self.lock();
        if open.all() >= self.max {
            return Err(format!("too many connections: {} of {}", open.all(), self.max));
        }
        *open.by_user.entry(user.to_owned()).or_default() += 1;
        open.peak = open.peak.max(open.all());
        drop(open);
        let session = Session { sessions: self.clone(), user: user.to_owned() };
        Ok(Body::from_stream(futures::stream::unfold((session, true), next)))
    }

    /// Ends all connections.
    pub fn end(&self) {
        self.ended.send_replace(true);
    }

    /// Returns how many are open now, the peak, the maximum, and the number by user.
    pub fn count(&self) -> Value {
        let open = self.lock();
        json!({ "open": open.all(), "peak": open.peak, "max": self.max, "by_user": open.by_user })
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns a greeting, and then nothing until the end.
async fn next((session, first): (Session, bool)) -> Option<(std::io::Result<Bytes>, (Session, bool))> {
    if first {
        return Some((Ok(Bytes::from_static(b"open\n")), (session, false)));
    }
    let _ = session.sessions.ended.subscribe().wait_for(|ended| *ended).await;
    None
}

impl Drop for Session {
    fn drop(&mut self) {
        let mut open = self.sessions.lock();
        if let Some(count) = open.by_user.get_mut(&self.user) {
            *count -= 1;
        }
        open.by_user.retain(|_, count| *count > 0);
    }
}
