//! `helm_test`: the chart has tests of its own, and they pass; the logs of failed tests are shown.

use std::time::Duration;

use anyhow::ensure;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::ready;
use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use crate::deployed_topology::DeployedTopology;
use kubernetes::{logs, objects};
use suite::CaseKind;
use tools::helm;

/// The number of lines of an unfinished test's log that are shown.
const LINES: i64 = 20;

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "helm_test",
        summary: "the chart has tests of its own, and they pass",
        needs: &[&ready::CASE.kind],
        ..CaseKind::DEFAULT
    },
    run: |cx| passing(run(cx)),
};

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let deployed = cx.deployed()?;
    let timeout = cx.wait.left();
    // helm gets a shorter limit than its process, so that it can report what it waited for.
    let limit = timeout.saturating_sub(Duration::from_secs(2)).as_secs().max(1);
    let test = deployed.helm.cmd("test").args(["--logs", "--timeout", &format!("{limit}s")]).timeout(timeout);
    match cx.wait.unless_hopeless(&deployed.watch, &test.line(), test.run()).await? {
        Ok(output) => note(&helm::tests_run(&output)),
        // The message about a failed hook covers this.
        Err(error) if cx.wait.failed_hook(&deployed.watch).await.is_some() => Err(error.into()),
        Err(error) => Err(anyhow::Error::new(error).context(unfinished(&deployed).await)),
    }
}

/// Lists the tests that passed; fails if there are none.
fn note(tests: &[&str]) -> anyhow::Result<String> {
    ensure!(
        !tests.is_empty(),
        "the chart has no tests; add a pod with the annotation `helm.sh/hook: test`, or remove the case from the suite"
    );
    Ok(format!("{} passed: {}", tests.len(), tests.join(", ")))
}

/// Describes the tests that did not succeed, with their logs.
async fn unfinished(deployed: &DeployedTopology) -> String {
    let pods: Vec<Pod> = deployed.watch.state().pods.values().filter(|pod| is_test(pod)).cloned().collect();
    let mut tests = Vec::new();
    for pod in pods.iter().filter(|pod| objects::pod_line(pod) != "Succeeded") {
        let name = pod.name_any();
        let container = pod.spec.iter().flat_map(|spec| &spec.containers).next().map(|c| c.name.clone());
        let log =
            logs::tail(&deployed.client, deployed.namespace(), &name, &container.unwrap_or_default(), LINES).await;
        let log = log.unwrap_or_else(|error| format!("its log can't be read: {error:#}"));
        tests.push(format!("helm test: Pod/{name} {}\n{}", objects::pod_line(pod), log.trim_end()));
    }
    if tests.is_empty() { "helm test failed, and its test pods are gone".to_owned() } else { tests.join("\n") }
}

fn is_test(pod: &Pod) -> bool {
    pod.annotations().get("helm.sh/hook").is_some_and(|hooks| hooks.contains("test"))
}
