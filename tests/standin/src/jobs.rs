//! The replicated data: jobs, and the rules for them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A stored job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// A UUID, lower case.
    pub id: String,
    /// Unique forever, even after the job is deleted.
    pub alias: String,
    /// As it was posted.
    pub trigger: Value,
    /// As they were posted.
    pub tasks: Value,
    /// Milliseconds since 1970.
    pub created_ms: u64,
    /// Milliseconds since 1970.
    pub deleted_ms: Option<u64>,
}

impl Job {
    /// Returns the job as the API shows it.
    pub fn shown(&self) -> Value {
        let created = rfc3339(self.created_ms);
        json!({
            "id": self.id, "alias": self.alias, "trigger": self.trigger, "tasks": self.tasks,
            "created_at": created, "updated_at": created,
        })
    }
}

fn rfc3339(milliseconds: u64) -> String {
    let time = i64::try_from(milliseconds).ok().and_then(chrono::DateTime::from_timestamp_millis);
    time.unwrap_or_default().to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// Returns the milliseconds since 1970.
pub fn now_ms() -> u64 {
    u64::try_from(chrono::Utc::now().timestamp_millis()).unwrap_or_default()
}

/// A write, in its replicated form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Stores a job if its alias was never used.
    Create(Job),
    /// Marks a job as deleted.
    Delete {
        /// Its whole id.
        id: String,
        /// When, in milliseconds since 1970.
        at_ms: u64,
    },
}

/// The result of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It is stored.
    Done,
    /// The alias is or was used.
    AliasTaken,
    /// There is no such job.
    Absent,
}

/// The moment that a read sees, and which deleted jobs it shows again.
#[derive(Clone, Copy, Debug, Default)]
pub struct View {
    /// Sees the state of this long ago.
    pub lag: Duration,
    /// Shows jobs again that were deleted this long ago.
    pub resurrect_after: Option<Duration>,
}

impl View {
    fn shows(self, job: &Job, now_ms: u64) -> bool {
        let at_ms = now_ms.saturating_sub(millis(self.lag));
        let Some(deleted_ms) = job.deleted_ms else { return job.created_ms <= at_ms || self.lag.is_zero() };
        let back = self.resurrect_after.is_some_and(|after| deleted_ms + millis(after) <= now_ms);
        back || (!self.lag.is_zero() && job.created_ms <= at_ms && deleted_ms > at_ms)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// All jobs, including deleted ones.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Jobs(BTreeMap<String, Job>);

impl Jobs {
    /// Applies a write.
    pub fn apply(&mut self, command: Command) -> Outcome {
        match command {
            Command::Create(job) if self.0.values().any(|other| other.alias == job.alias) => Outcome::AliasTaken,
            Command::Create(job) => {
                self.0.insert(job.id.clone(), job);
                Outcome::Done
            }
            Command::Delete { id, at_ms } => match self.0.get_mut(&id) {
                Some(job) if job.deleted_ms.is_none() => {
                    job.deleted_ms = Some(at_ms);
                    Outcome::Done
                }
                _ => Outcome::Absent,
            },
        }
    }

    /// Returns the first job whose id is this key or starts with it.
    pub fn find(&self, key: &str, view: View) -> Option<&Job> {
        if !is_id_prefix(key) {
            return None;
        }
        let now_ms = now_ms();
        let from_key = self.0.range(key.to_owned()..).map(|(_, job)| job);
        from_key.take_while(|job| job.id.starts_with(key)).find(|job| view.shows(job, now_ms))
    }

    /// Returns all jobs that are not deleted.
    pub fn all(&self, view: View) -> impl Iterator<Item = &Job> {
        let now_ms = now_ms();
        self.0.values().filter(move |job| view.shows(job, now_ms))
    }

    /// Returns the number of jobs that are not deleted.
    pub fn count(&self) -> usize {
        self.all(View::default()).count()
    }
}

fn is_id_prefix(key: &str) -> bool {
    !key.is_empty() && key.len() <= 36 && key.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(id: &str, alias: &str, created_ms: u64) -> Job {
        Job { id: id.into(), alias: alias.into(), trigger: json!({}), tasks: json!([]), created_ms, deleted_ms: None }
    }

    fn delete(id: &str, at_ms: u64) -> Command {
        Command::Delete { id: id.into(), at_ms }
    }

    #[test]
    fn an_alias_is_unique_forever() {
        let mut jobs = Jobs::default();
        assert_eq!(jobs.apply(Command::Create(job("aa11", "one", 1))), Outcome::Done);
        assert_eq!(jobs.apply(Command::Create(job("bb22", "one", 1))), Outcome::AliasTaken);
        assert_eq!(jobs.apply(delete("aa11", 2)), Outcome::Done);
        assert_eq!(jobs.apply(delete("aa11", 3)), Outcome::Absent);
        assert_eq!(jobs.apply(Command::Create(job("cc33", "one", 4))), Outcome::AliasTaken);
        assert_eq!(jobs.count(), 0);
    }

    #[test]
    fn a_prefix_finds_the_first_remaining_job() {
        let mut jobs = Jobs::default();
        for (id, alias) in [("aa11", "one"), ("aa12", "two"), ("ab00", "three")] {
            jobs.apply(Command::Create(job(id, alias, 1)));
        }
        let found = |jobs: &Jobs, key| jobs.find(key, View::default()).map(|job| job.alias.clone());
        assert_eq!(found(&jobs, "aa").as_deref(), Some("one"));
        jobs.apply(delete("aa11", 2));
        assert_eq!(found(&jobs, "aa").as_deref(), Some("two"));
        assert_eq!(found(&jobs, "aa11"), None);
        assert_eq!(found(&jobs, ""), None);
        assert_eq!(found(&jobs, "zz"), None);
    }

    #[test]
    fn a_lagging_view_sees_neither_a_recent_job_nor_a_recent_deletion() {
        let now = now_ms();
        let mut jobs = Jobs::default();
        jobs.apply(Command::Create(job("aa", "old", now - 60_000)));
        jobs.apply(Command::Create(job("bb", "young", now - 1_000)));
        jobs.apply(delete("aa", now - 1_000));
        let aliases = |view| jobs.all(view).map(|job| job.alias.clone()).collect::<Vec<_>>();
        assert_eq!(aliases(View::default()), ["young"]);
        assert_eq!(aliases(View { lag: Duration::from_secs(30), resurrect_after: None }), ["old"]);
    }

    #[test]
    fn a_resurrecting_view_shows_old_deletions_again() {
        let now = now_ms();
        let mut jobs = Jobs::default();
        jobs.apply(Command::Create(job("aa", "one", now - 9_000)));
        jobs.apply(delete("aa", now - 3_000));
        let after = |seconds| View { resurrect_after: Some(Duration::from_secs(seconds)), ..View::default() };
        assert!(jobs.find("aa", after(2)).is_some());
        assert!(jobs.find("aa", after(30)).is_none());
    }
}
