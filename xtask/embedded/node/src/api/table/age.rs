//! Times as kubectl shows them: `45s`, `3m20s`, `5h`, `12d`.

use chrono::{DateTime, Utc};
use serde_json::Value;

/// Returns the age of an object.
pub fn of(object: &Value) -> Value {
    since(&object["metadata"]["creationTimestamp"]).into()
}

/// Returns how long ago a time was.
pub fn since(time: &Value) -> String {
    let time = time.as_str().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
    time.map_or_else(|| "<unknown>".to_owned(), |time| duration((Utc::now() - time.to_utc()).num_seconds()))
}

/// Formats seconds in at most two units.
pub fn duration(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    let with = |large: i64, unit: &str, small: i64, small_unit: &str| {
        if small == 0 { format!("{large}{unit}") } else { format!("{large}{unit}{small}{small_unit}") }
    };
    match seconds {
        0..120 => format!("{seconds}s"),
        _ if minutes < 10 => with(minutes, "m", seconds % 60, "s"),
        _ if minutes < 180 => format!("{minutes}m"),
        _ if hours < 8 => with(hours, "h", minutes % 60, "m"),
        _ if hours < 48 => format!("{hours}h"),
        _ if days < 8 => with(days, "d", hours % 24, "h"),
        _ if days < 730 => format!("{days}d"),
        _ if days < 2920 => with(days / 365, "y", days % 365, "d"),
        _ => format!("{}y", days / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_formatted_as_by_kubectl() {
        let table = [
            (5, "5s"),
            (119, "119s"),
            (200, "3m20s"),
            (240, "4m"),
            (3600, "60m"),
            (86400 * 3, "3d"),
            (86400 * 10, "10d"),
        ];
        for (seconds, wanted) in table {
            assert_eq!(duration(seconds), wanted);
        }
    }
}
