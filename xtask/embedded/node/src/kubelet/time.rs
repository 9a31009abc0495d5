//! Time as it appears in statuses, converted from the runtime's.

use std::time::Duration;

use chrono::{DateTime, Utc};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use tokio::time::Instant;

/// Truncates to whole seconds, as the API stores them.
pub(super) fn of(at: DateTime<Utc>) -> Time {
    Time(Timestamp::from_second(at.timestamp()).unwrap_or_default())
}

/// Returns how long it is until `at`; zero if it has passed.
pub(super) fn until(at: DateTime<Utc>) -> Duration {
    (at - Utc::now()).to_std().unwrap_or_default()
}

/// Returns a field in seconds, or its default; never negative.
pub(super) fn seconds(field: Option<impl Into<i64>>, default: u64) -> Duration {
    Duration::from_secs(field.map_or(default, |count| u64::try_from(count.into()).unwrap_or(0)))
}

/// Returns the earlier of two optional times.
pub(super) fn earliest(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
