//! Checks that the Service routes to the replicas and nowhere else, and starts the clients that use it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use client::reach::Reach;
use client::request::Protocol;
use client::team::{Task, Traffic};
use history::Connection;
use k8s_openapi::api::core::v1::{Service, ServiceSpec};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use kube::api::ListParams;

use super::context::CaseContext;
use crate::deployed_topology::DeployedTopology;
use crate::workload::inside::Inside;
use crate::workload::recorder::Recorder;
use kubernetes::{call, objects};

/// How long the Service may lag behind a pod's readiness.
const LEARNT_WITHIN: Duration = Duration::from_secs(10);

/// Starts clients in the cluster that go through the Service, or returns `None` if there is no Service or no task, or the
/// nodes can't be given their image.
///
/// # Errors
/// If the Service does not route exactly to the replicas, or the clients' pod does not start.
pub async fn start(
    cx: &CaseContext,
    deployed: &DeployedTopology,
    recorder: &Arc<Recorder>,
    task: Option<Task>,
) -> anyhow::Result<Option<Inside>> {
    let Some(name) = deployed.tested.as_ref().and_then(|workload| workload.service.as_ref()) else {
        return Ok(None);
    };
    let services: Api<Service> = Api::namespaced(deployed.client.clone(), deployed.namespace());
    let service = call(&format!("getting Service/{name}"), services.get(name)).await?;
    let spec = service.spec.unwrap_or_default();
    leads_to_replicas(cx, deployed, name, &spec).await?;
    let task = task.filter(|task| task.traffic.goes_through_a_service());
    let (Some(image), Some(mut task)) = (cx.run.client_image(), task) else { return Ok(None) };
    task.reach = through(&task, &spec).with_context(|| format!("Service/{name}"))?;
    // Requests from inside are cheap, and many are needed to see where the Service routes.
    task.pause_ms /= 2;
    Inside::start((deployed, &cx.wait), recorder, image, task, name.clone()).await.map(Some)
}

/// Returns the connections of the clients that [`start`] starts.
pub fn connections(traffic: &Traffic) -> &'static [Connection] {
    let all = &[Connection::Service, Connection::ServiceReused];
    if traffic.uses_connections() { all } else { &all[..1] }
}

/// Returns how the requests reach the application through the Service: at its port with the same number as the pods', or
/// else at its first, unless the requests have two protocols.
fn through(task: &Task, spec: &ServiceSpec) -> anyhow::Result<Reach> {
    let uses = |protocol| task.traffic.requests().any(|request| request.protocol() == Some(protocol));
    let (uses_http, uses_tcp) = (uses(Protocol::Http), uses(Protocol::Tcp));
    let ports: Vec<_> = spec.ports.iter().flatten().filter_map(|port| u16::try_from(port.port).ok()).collect();
    let mut reach = task.reach.clone();
    for (is_used, of_pods) in [(uses_http, &mut reach.http), (uses_tcp, &mut reach.tcp)] {
        let Some(of_pods) = of_pods.as_mut().filter(|_| is_used) else { continue };
        let same = ports.iter().find(|number| **number == of_pods.number);
        let first = ports.first().filter(|_| !(uses_http && uses_tcp));
        of_pods.number = *same.or(first).with_context(|| format!("it has no port {}", of_pods.number))?;
    }
    Ok(reach)
}

/// Waits until the Service routes to every ready replica and to nothing else; a wrong selector never does.
async fn leads_to_replicas(
    cx: &CaseContext,
    deployed: &DeployedTopology,
    name: &str,
    spec: &ServiceSpec,
) -> anyhow::Result<()> {
    let until = Instant::now() + LEARNT_WITHIN;
    let ask = async || match leads_elsewhere(deployed, name).await {
        Ok(None) => Ok(Ok(())),
        Ok(Some(how)) if Instant::now() >= until => Ok(Err(how)),
        Ok(Some(how)) => Err(how),
        Err(error) => Err(format!("{error:#}")),
    };
    match cx.wait.ask_until(&deployed.watch, &format!("Service/{name} routes to the replicas"), ask).await? {
        Ok(()) => Ok(()),
        Err(how) => {
            let selector = spec.selector.iter().flatten().map(|(key, value)| format!("{key}={value}"));
            let selector = selector.collect::<Vec<_>>().join(",");
            bail!("Service/{name} {how}, although every replica is ready; its selector is {selector}")
        }
    }
}

/// Describes how the Service's ready addresses differ from those of the replicas, if they do.
async fn leads_elsewhere(deployed: &DeployedTopology, name: &str) -> anyhow::Result<Option<String>> {
    let slices: Api<EndpointSlice> = Api::namespaced(deployed.client.clone(), deployed.namespace());
    let of_service = ListParams::default().labels(&format!("kubernetes.io/service-name={name}"));
    let slices = call(&format!("listing the endpoints of Service/{name}"), slices.list(&of_service)).await?;
    let endpoints = slices.items.into_iter().filter_map(|slice| slice.endpoints).flatten();
    let ready = endpoints.filter(|one| one.conditions.as_ref().and_then(|conditions| conditions.ready) != Some(false));
    let found: BTreeSet<String> = ready.flat_map(|endpoint| endpoint.addresses).collect();
    let replicas: BTreeSet<String> = deployed.replicas().iter().filter_map(objects::ip).map(str::to_owned).collect();
    Ok(difference(&found, &replicas))
}

fn difference(found: &BTreeSet<String>, replicas: &BTreeSet<String>) -> Option<String> {
    let list = |ips: Vec<&String>| ips.into_iter().cloned().collect::<Vec<_>>().join(", ");
    let (strange, missing): (Vec<_>, Vec<_>) =
        (found.difference(replicas).collect(), replicas.difference(found).collect());
    match (strange.is_empty(), missing.is_empty()) {
        (true, true) => None,
        (false, _) => {
            Some(format!("routes to {}, which is not a replica ({})", list(strange), list(replicas.iter().collect())))
        }
        (true, false) if found.is_empty() => Some("routes to no replica".to_owned()),
        (true, false) => Some(format!("does not route to {}", list(missing))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(ips: &[&str]) -> BTreeSet<String> {
        ips.iter().map(|ip| (*ip).to_owned()).collect()
    }

    #[test]
    fn a_service_routes_to_every_replica_and_nowhere_else() {
        let replicas = ips(&["10.0.0.1", "10.0.0.2"]);
        assert_eq!(difference(&replicas, &replicas), None);
        assert_eq!(difference(&ips(&[]), &replicas).unwrap(), "routes to no replica");
        assert_eq!(difference(&ips(&["10.0.0.1"]), &replicas).unwrap(), "does not route to 10.0.0.2");
        let words = "routes to 10.0.0.9, which is not a replica (10.0.0.1, 10.0.0.2)";
        assert_eq!(difference(&ips(&["10.0.0.1", "10.0.0.9"]), &replicas).unwrap(), words);
    }
}
