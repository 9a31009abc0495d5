//! Observes the readiness of the replicas, for an application that clients can't ask.

use std::sync::Arc;
use std::time::Duration;

use history::{Connection, Operation, OperationKind, Outcome};
use k8s_openapi::api::core::v1::Pod;
use tokio_util::sync::CancellationToken;

use super::recorder::Recorder;
use crate::deployed_topology::DeployedTopology;
use kubernetes::objects;

/// The client and the key of the observations.
const READINESS: &str = "readiness";

/// Records regularly whether a replica is ready, until it is stopped.
pub async fn observe(deployed: Arc<DeployedTopology>, recorder: Arc<Recorder>, stop: CancellationToken) {
    let pause = Duration::from_millis(deployed.suite.load.pause_ms);
    while !stop.is_cancelled() {
        recorder.add(observation(&deployed.replicas(), recorder.now_ns()));
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Returns what is observed now: it is ok if the application can work, which takes one ready replica.
fn observation(replicas: &[Pod], now_ns: u64) -> Operation {
    let observed = Operation {
        connection: Connection::Readiness,
        ..Operation::new(READINESS, OperationKind::Health, READINESS, (now_ns, now_ns))
    };
    if replicas.iter().any(objects::is_ready) {
        return observed;
    }
    let error = format!("none of {} replicas is ready", replicas.len());
    Operation { outcome: Outcome::Failed, error: Some(error), ..observed }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_ready_replica_is_enough() {
        let pod = |ready: &str| -> Pod {
            serde_json::from_value(json!({ "status": { "conditions": [{ "type": "Ready", "status": ready }] } }))
                .unwrap()
        };
        let error = |pods: &[Pod]| observation(pods, 7).error.unwrap_or_default();
        assert_eq!(error(&[pod("False"), pod("True")]), "");
        assert_eq!(error(&[pod("False")]), "none of 1 replicas is ready");
        assert_eq!(error(&[]), "none of 0 replicas is ready");
        let observed = observation(&[], 7);
        assert_eq!((observed.outcome, observed.connection), (Outcome::Failed, Connection::Readiness));
    }
}
