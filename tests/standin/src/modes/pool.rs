//! The connections that a `web` keeps open to its db.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::client::Url;
use crate::log;

const RETRY_EVERY: Duration = Duration::from_secs(1);

/// A pool, which is full or has a reason why not.
#[derive(Debug, Default)]
pub struct Pool {
    size: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    open: usize,
    refused: Option<String>,
}

impl Pool {
    /// Opens this many connections, and reopens each that ends.
    pub fn open(size: usize, url: &Url, token: Option<&str>) -> Arc<Self> {
        let pool = Arc::new(Self { size, ..Self::default() });
        for _ in 0..size {
            tokio::spawn(pool.clone().keep(url.clone(), token.map(str::to_owned)));
        }
        pool
    }

    /// Adds a missing connection to the missing dependencies.
    pub fn note(&self, missing: &mut BTreeMap<String, String>) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.open < self.size {
            let why = state.refused.as_deref().unwrap_or("not open yet");
            missing.insert("pool".to_owned(), format!("{} of {} connections: {why}", state.open, self.size));
        }
    }

    async fn keep(self: Arc<Self>, url: Url, token: Option<String>) {
        loop {
            let ended = url.hold(token.as_deref(), || self.change(|state| state.open += 1)).await;
            let (opened, why) = match ended {
                Ok(()) => (true, format!("{url} ended it")),
                Err(error) => (false, format!("{error:#}")),
            };
            self.change(|state| {
                state.open -= usize::from(opened);
                if state.refused.as_ref() != Some(&why) {
                    log::warn(format_args!("pool: {} of {} connections: {why}", state.open, self.size));
                }
                state.refused = Some(why);
            });
            tokio::time::sleep(RETRY_EVERY).await;
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
