//! Time as statuses carry it, made of time as the runtime measures it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use tokio::time::Instant;

/// Whole seconds, as the API stores them.
pub(super) fn of(at: DateTime<Utc>) -> Time {
    Time(Timestamp::from_second(at.timestamp()).unwrap_or_default())
}

/// How long it is until `at`; zero where it has passed.
pub(super) fn until(at: DateTime<Utc>) -> Duration {
    (at - Utc::now()).to_std().unwrap_or_default()
}

/// A field in seconds, or its default; never negative.
pub(super) fn seconds(field: Option<impl Into<i64>>, default: u64) -> Duration {
    Duration::from_secs(field.map_or(default, |count| u64::try_from(count.into()).unwrap_or(0)))
}

/// The earlier of two times that may be none.
pub(super) fn earliest(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
