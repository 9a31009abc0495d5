//! How long a job waits before it retries after failures.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{clock, count, pods};

const FIRST: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(600);

/// Returns how long to wait: ten seconds after the first failure, doubled with each further consecutive one.
pub fn left(ended: &[Pod]) -> Option<Duration> {
    let mut times: Vec<(Time, bool)> = ended
        .iter()
        .filter(|pod| count::is_failed(pod) || pods::phase(pod) == "Succeeded")
        .map(|pod| (ended_at(pod), count::is_failed(pod)))
        .collect();
    times.sort();
    let failures = times.iter().rev().take_while(|(_, failed)| *failed).count();
    let (last, _) = times.last().filter(|_| failures > 0)?;
    let doublings = u32::try_from(failures - 1).unwrap_or(u32::MAX).min(10);
    clock::remaining(last, (FIRST * 2_u32.pow(doublings)).min(LONGEST))
}

/// Returns when the last of a pod's containers ended, or else when the pod became unready or was deleted.
fn ended_at(pod: &Pod) -> Time {
    let statuses = pod.status.iter().filter_map(|s| s.container_statuses.as_ref()).flatten();
    let ended = statuses.filter_map(|status| status.state.as_ref()?.terminated.as_ref()?.finished_at.clone()).max();
    let unready = || pods::condition(pod, "Ready").and_then(|c| c.last_transition_time.clone());
    let deleted = || pod.metadata.deletion_timestamp.clone();
    ended.or_else(unready).or_else(deleted).unwrap_or_else(clock::now)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(phase: &str, seconds_ago: i64) -> Pod {
        let at = chrono::Utc::now() - chrono::Duration::seconds(seconds_ago);
        let ended = json!({"terminated": {"exitCode": 1, "finishedAt": at.to_rfc3339()}});
        let status =
            json!({"name": "main", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": ended});
        serde_json::from_value(json!({"status": {"phase": phase, "containerStatuses": [status]}})).unwrap()
    }

    fn seconds(ended: &[Pod]) -> u64 {
        left(ended).map_or(0, |left| (left + Duration::from_millis(999)).as_secs())
    }

    #[test]
    fn the_wait_doubles_with_failures_in_a_row() {
        assert_eq!(seconds(&[]), 0);
        assert!((8..=10).contains(&seconds(&[pod("Failed", 1)])));
        assert!((17..=19).contains(&seconds(&[pod("Failed", 1), pod("Failed", 30)])));
        assert_eq!(seconds(&[pod("Failed", 11)]), 0);
        assert_eq!(seconds(&[pod("Succeeded", 1), pod("Failed", 30)]), 0);
        assert!((8..=10).contains(&seconds(&[pod("Failed", 1), pod("Succeeded", 20), pod("Failed", 30)])));
        let many: Vec<Pod> = (0..20).map(|n| pod("Failed", n)).collect();
        assert!((590..=600).contains(&seconds(&many)));
    }
}
