//! Waits: each has a deadline, reports what it waits for, and ends early on an unrecoverable state.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};
use tokio::sync::Mutex;

use super::unrecoverable::{Limits, Sighting, Tracker};
use super::watch::{State, Watch};
use events::{CaseName, Events, What};

/// How often a wait checks without a change: some states become unrecoverable with time.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The pause between two requests to an application, which can't be watched.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// How long the watch may lag behind what helm has seen.
const WATCH_LAGS_MOST: Duration = Duration::from_secs(2);

/// The deadline of a case, and where it reports what it waits for.
pub struct Waiter {
    case: CaseName,
    events: Events,
    started: Instant,
    timeout: Duration,
    last: std::sync::Mutex<String>,
    /// One per namespace: a case may wait in several at once.
    trackers: Mutex<BTreeMap<String, Tracker>>,
    limits: Limits,
    expects_failure: AtomicBool,
}

/// Why a wait ended without success.
#[derive(Debug)]
pub struct WaitFailed {
    /// One sentence.
    pub sentence: String,
    /// The namespace.
    pub namespace: String,
    /// The object in an unrecoverable state; none after a time-out.
    pub sighting: Option<Sighting>,
}

impl std::fmt::Display for WaitFailed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for WaitFailed {}

impl Waiter {
    /// Returns the waiter of a case whose time starts now.
    pub fn new(case: CaseName, events: Events, timeout: Duration) -> Self {
        Self {
            case,
            events,
            started: Instant::now(),
            timeout,
            last: std::sync::Mutex::default(),
            trackers: Mutex::default(),
            limits: Limits::default(),
            expects_failure: AtomicBool::new(false),
        }
    }

    /// Replaces the limits, which by default are those for a cluster that the run created.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// From now on, unrecoverable states don't end a wait: the case expects one.
    pub fn expect_failure(&self) {
        self.expects_failure.store(true, Ordering::Relaxed);
    }

    /// Returns when the case's time is up.
    pub fn deadline(&self) -> Instant {
        self.started + self.timeout
    }

    /// Returns how much of the case's time is left.
    pub fn left(&self) -> Duration {
        self.deadline().saturating_duration_since(Instant::now())
    }

    /// Reports what the case is waiting for.
    pub fn waiting(&self, state: impl Into<String>) {
        let state = state.into();
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if *last != state {
            last.clone_from(&state);
            self.events.send(What::Waiting { case: self.case.clone(), state });
        }
    }

    /// Returns what the case last waited for.
    pub fn last_state(&self) -> String {
        self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Waits until `check` returns `Ok` for the state of the namespace. Its `Err` describes the current state for messages.
    ///
    /// # Errors
    /// [`WaitFailed`] with the last state seen.
    pub async fn until<T>(
        &self,
        watch: &Watch,
        what: &str,
        mut check: impl FnMut(&State) -> Result<T, String>,
    ) -> anyhow::Result<T> {
        let mut changes = watch.changes();
        loop {
            changes.borrow_and_update();
            let checked = check(&watch.state());
            let seen = match checked {
                Ok(found) => return Ok(found),
                Err(seen) => with_nodes(watch, &seen),
            };
            self.waiting(format!("{what}: {seen}"));
            self.give_up_if_hopeless(watch, what, &seen).await?;
            tokio::select! {
                news = changes.changed() => news.map_err(|_| anyhow!("{what}: the watch ended; last seen: {seen}"))?,
                () = tokio::time::sleep(LOOK_EVERY.min(self.left())) => {}
            }
        }
    }

    /// Calls `ask` until it returns `Ok`. Its `Err` describes the last response for messages. Ends early like
    /// [`Waiter::until`].
    ///
    /// # Errors
    /// [`WaitFailed`] with the last response.
    pub async fn ask_until<T>(
        &self,
        watch: &Watch,
        what: &str,
        mut ask: impl AsyncFnMut() -> Result<T, String>,
    ) -> anyhow::Result<T> {
        let mut got = "no response yet".to_owned();
        loop {
            match tokio::time::timeout(self.left(), ask()).await {
                Ok(Ok(found)) => return Ok(found),
                Ok(Err(other)) => got = other,
                Err(_) => {}
            }
            let seen = with_nodes(watch, &got);
            self.waiting(format!("{what}: {seen}"));
            self.give_up_if_hopeless(watch, what, &seen).await?;
            tokio::time::sleep(ASK_EVERY.min(self.left())).await;
        }
    }

    /// Lets `what`, a helm command, run as long as nothing in the namespace is in an unrecoverable state.
    ///
    /// # Errors
    /// [`WaitFailed`] if something is, or if the time is up.
    pub async fn unless_hopeless<T>(
        &self,
        watch: &Watch,
        what: &str,
        running: impl Future<Output = T>,
    ) -> anyhow::Result<T> {
        let mut running = std::pin::pin!(running);
        let mut changes = watch.changes();
        self.trackers
            .lock()
            .await
            .entry(watch.namespace().to_owned())
            .or_insert_with(|| self.tracker())
            .begin_hooks(&watch.state());
        loop {
            tokio::select! {
                done = &mut running => {
                    self.trackers.lock().await.entry(watch.namespace().to_owned()).or_insert_with(|| self.tracker()).end_hooks();
                    return Ok(done);
                }
                news = changes.changed() => news.map_err(|_| anyhow!("the watch ended"))?,
                () = tokio::time::sleep(LOOK_EVERY.min(self.left())) => {}
            }
            let seen = with_nodes(watch, "still running");
            self.give_up_if_hopeless(watch, what, &seen).await?;
        }
    }

    /// Returns a hook that failed since [`Waiter::unless_hopeless`] began: helm's own message is longer and says less. helm
    /// may have seen the failure first, so the watch gets a moment after helm's end, once for all callers.
    pub async fn failed_hook(&self, watch: &Watch) -> Option<Sighting> {
        let ended = self.trackers.lock().await.get(watch.namespace())?.hooks_ended()?;
        let mut changes = watch.changes();
        let seen = async {
            loop {
                changes.borrow_and_update();
                let found = self.trackers.lock().await.get_mut(watch.namespace())?.failed_hook(&watch.state());
                if found.is_some() {
                    return found;
                }
                changes.changed().await.ok()?;
            }
        };
        tokio::time::timeout_at((ended + WATCH_LAGS_MOST).into(), seen).await.ok()?
    }

    fn tracker(&self) -> Tracker {
        Tracker::new(self.limits.clone())
    }

    async fn give_up_if_hopeless(&self, watch: &Watch, what: &str, seen: &str) -> anyhow::Result<()> {
        let namespace = watch.namespace().to_owned();
        let node_trouble = watch.node_trouble();
        let (sighting, unready, trouble) = {
            let mut trackers = self.trackers.lock().await;
            let tracker = trackers.entry(watch.namespace().to_owned()).or_insert_with(|| self.tracker());
            let state = watch.state();
            let now = Instant::now();
            (tracker.look(&state, now), tracker.look_at_node(node_trouble, now), state.trouble.clone())
        };
        if let Some(sighting) = sighting.filter(|_| !self.expects_failure.load(Ordering::Relaxed)) {
            bail!(WaitFailed { sentence: sighting.sentence.clone(), namespace, sighting: Some(sighting) });
        }
        if let Some(sighting) = unready {
            bail!(WaitFailed {
                sentence: format!("{what}: {}", sighting.sentence),
                namespace,
                sighting: Some(sighting)
            });
        }
        if self.left().is_zero() {
            let trouble = trouble.map(|trouble| format!("; {trouble}")).unwrap_or_default();
            let sentence = format!("{what}: timed out after {} s; last seen: {seen}{trouble}", self.timeout.as_secs());
            bail!(WaitFailed { sentence, namespace, sighting: None });
        }
        Ok(())
    }
}

impl WaitFailed {
    /// Returns whether the cluster itself is the cause, and not what was deployed on it.
    pub fn blames_node(&self) -> bool {
        self.sighting.as_ref().is_some_and(|sighting| sighting.object.starts_with("Node/"))
    }
}

/// Returns the state, with the problem of the nodes that it waits for.
fn with_nodes(watch: &Watch, seen: &str) -> String {
    watch.node_trouble().map_or_else(|| seen.to_owned(), |trouble| format!("{seen}; {}", trouble.sentence))
}

#[cfg(test)]
#[path = "wait_tests.rs"]
mod tests;
