//! Back-off by name, as in kubelet, for containers that crash and images that can't be pulled: 10 s, doubled at each
//! failure up to 300 s, forgotten after twice that.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};

const INITIAL: Duration = Duration::from_secs(10);
const MAXIMUM: Duration = Duration::from_secs(300);

/// When each name may be retried.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    entries: HashMap<String, Entry>,
}

#[derive(Debug)]
struct Entry {
    delay: Duration,
    updated_at: DateTime<Utc>,
}

impl Entry {
    fn is_stale(&self, at: DateTime<Utc>) -> bool {
        at > self.updated_at + MAXIMUM * 2
    }
}

impl Backoff {
    /// Returns the current delay and its end, for a failure at `failed_at`, or `None` if the name may be retried now.
    pub fn until(&self, name: &str, failed_at: DateTime<Utc>, now: DateTime<Utc>) -> Option<(Duration, DateTime<Utc>)> {
        let entry = self.entries.get(name).filter(|entry| !entry.is_stale(failed_at))?;
        let end = failed_at + entry.delay;
        (now < end).then_some((entry.delay, end))
    }

    /// As [`Backoff::until`], counted from the last [`Backoff::next`].
    pub fn until_since_update(&self, name: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let updated_at = self.entries.get(name)?.updated_at;
        self.until(name, updated_at, now).map(|(_, end)| end)
    }

    /// Records that the name is being retried after a failure at `failed_at`: the next delay is doubled.
    pub fn next(&mut self, name: &str, failed_at: DateTime<Utc>, now: DateTime<Utc>) {
        let delay = match self.entries.get(name) {
            Some(entry) if !entry.is_stale(failed_at) => (entry.delay * 2).min(MAXIMUM),
            _ => INITIAL,
        };
        self.entries.insert(name.to_owned(), Entry { delay, updated_at: now });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    #[test]
    fn the_first_restart_is_immediate_and_each_later_delay_doubles() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.until("main", at(0), at(0)), None);
        let mut now = 0;
        let mut delays = Vec::new();
        for _ in 0..7 {
            backoff.next("main", at(now), at(now));
            let (delay, end) = backoff.until("main", at(now), at(now)).unwrap();
            delays.push(delay.as_secs());
            now = end.timestamp();
            assert_eq!(backoff.until("main", at(now - i64::try_from(delay.as_secs()).unwrap()), at(now)), None);
        }
        assert_eq!(delays, [10, 20, 40, 80, 160, 300, 300]);
    }

    #[test]
    fn after_ten_minutes_of_running_the_back_off_is_forgotten() {
        let mut backoff = Backoff::default();
        backoff.next("main", at(0), at(0));
        backoff.next("main", at(10), at(10));
        assert_eq!(backoff.until("main", at(611), at(611)), None);
        backoff.next("main", at(611), at(611));
        assert_eq!(backoff.until("main", at(611), at(611)).unwrap().0.as_secs(), 10);
    }
}
