//! Time as it appears in objects: whole seconds, UTC.

use std::time::Duration;

use chrono::Utc;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

/// Returns the current time, truncated to seconds as the API stores it.
pub fn now() -> Time {
    Time(Timestamp::from_second(Utc::now().timestamp()).unwrap_or_default())
}

/// Returns the current time in nanoseconds since 1970.
pub fn nanos() -> i64 {
    Utc::now().timestamp_nanos_opt().unwrap_or(0)
}

/// Returns how long it is until `span` has passed since `start`, or `None` if it has passed.
pub fn remaining(start: &Time, span: Duration) -> Option<Duration> {
    let passed_ms = Utc::now().timestamp_millis().saturating_sub(start.0.as_millisecond());
    let left_ms = i64::try_from(span.as_millis()).unwrap_or(i64::MAX).saturating_sub(passed_ms);
    u64::try_from(left_ms).ok().filter(|left| *left > 0).map(Duration::from_millis)
}

/// Converts a field that counts seconds to a duration; negative counts become zero.
pub fn seconds(count: impl Into<i64>) -> Duration {
    Duration::from_secs(u64::try_from(count.into()).unwrap_or(0))
}
