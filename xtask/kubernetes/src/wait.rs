//! Waits: each has a deadline, says what it waits for, and ends early on a state that can't recover.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};
use tokio::sync::Mutex;

use super::unrecoverable::{Limits, Sighting, Tracker};
use super::watch::{State, Watch};
use events::{CaseName, Events, What};

/// How often a wait looks even though nothing changed: for states that become final by their age.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Pause between two questions to an application, which can't be watched.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// How long the watch may need to see what helm has seen already.
const WATCH_LAGS_MOST: Duration = Duration::from_secs(2);

/// The time that a case has, and where it says what it waits for.
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
    /// Where.
    pub namespace: String,
    /// The object in a final state; none where time ran out.
    pub sighting: Option<Sighting>,
}

impl std::fmt::Display for WaitFailed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for WaitFailed {}

impl Waiter {
    /// The waiter of a case whose time starts now.
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

    /// With other limits than those of a cluster of the run's own.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// From now on, states that can't recover end no wait: the case is about one.
    pub fn expect_failure(&self) {
        self.expects_failure.store(true, Ordering::Relaxed);
    }

    /// When the case's time is over.
    pub fn deadline(&self) -> Instant {
        self.started + self.timeout
    }

    /// What is left of the case's time.
    pub fn left(&self) -> Duration {
        self.deadline().saturating_duration_since(Instant::now())
    }

    /// Says what the case waits for now.
    pub fn waiting(&self, state: impl Into<String>) {
        let state = state.into();
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if *last != state {
            last.clone_from(&state);
            self.events.send(What::Waiting { case: self.case.clone(), state });
        }
    }

    /// What the case last waited for.
    pub fn last_state(&self) -> String {
        self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Waits until `check` is content with what is seen of the namespace; until then it answers what
    /// it sees, for people.
    ///
    /// # Errors
    /// [`WaitFailed`], with the last state seen.
    pub async fn until<T>(
        &self,
        watch: &Watch,
        what: &str,
        mut check: impl FnMut(&State) -> Result<T, String>,
    ) -> anyhow::Result<T> {
        let mut changes = watch.changes();
        loop {
            changes.borrow_and_update();
            let looked = check(&watch.state());
            let seen = match looked {
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

    /// Asks until `ask` is content; until then it answers what it got, for people. Ends early like
    /// [`Waiter::until`].
    ///
    /// # Errors
    /// [`WaitFailed`], with the last answer.
    pub async fn ask_until<T>(
        &self,
        watch: &Watch,
        what: &str,
        mut ask: impl AsyncFnMut() -> Result<T, String>,
    ) -> anyhow::Result<T> {
        let mut got = "no answer yet".to_owned();
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

    /// Lets `what`, a command of helm's, go on as long as nothing in the namespace is in a state that can't recover.
    ///
    /// # Errors
    /// [`WaitFailed`] where something is, or time is over.
    pub async fn unless_hopeless<T>(
        &self,
        watch: &Watch,
        what: &str,
        going_on: impl Future<Output = T>,
    ) -> anyhow::Result<T> {
        let mut going_on = std::pin::pin!(going_on);
        let mut changes = watch.changes();
        self.trackers
            .lock()
            .await
            .entry(watch.namespace().to_owned())
            .or_insert_with(|| self.tracker())
            .begin_hooks(&watch.state());
        loop {
            tokio::select! {
                done = &mut going_on => {
                    self.trackers.lock().await.entry(watch.namespace().to_owned()).or_insert_with(|| self.tracker()).end_hooks();
                    return Ok(done);
                }
                news = changes.changed() => news.map_err(|_| anyhow!("the watch ended"))?,
                () = tokio::time::sleep(LOOK_EVERY.min(self.left())) => {}
            }
            let seen = with_nodes(watch, "it still goes on");
            self.give_up_if_hopeless(watch, what, &seen).await?;
        }
    }

    /// A hook that failed since [`Waiter::unless_hopeless`] began: what helm says of it is longer and tells less. helm
    /// may have seen it first, so the watch is given a moment after helm's end, once for all who ask.
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
            let sentence = format!("{what}: not within {} s; last seen: {seen}{trouble}", self.timeout.as_secs());
            bail!(WaitFailed { sentence, namespace, sighting: None });
        }
        Ok(())
    }
}

impl WaitFailed {
    /// Whether the cluster itself is to blame, and not what was deployed on it.
    pub fn blames_node(&self) -> bool {
        self.sighting.as_ref().is_some_and(|sighting| sighting.object.starts_with("Node/"))
    }
}

/// What is seen, with what is wrong with the nodes that it waits for.
fn with_nodes(watch: &Watch, seen: &str) -> String {
    watch.node_trouble().map_or_else(|| seen.to_owned(), |trouble| format!("{seen}; {}", trouble.sentence))
}

#[cfg(test)]
#[path = "wait_tests.rs"]
mod tests;
