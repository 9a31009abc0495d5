//! `scale_up`: additional replicas join and vote, and old records can be read through each replica.

use std::sync::Arc;

use anyhow::ensure;
use history::model::Minimum;

use super::ready;
use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use super::support::one_record;
use super::support::settled;
use crate::deployed_topology::DeployedTopology;
use crate::workload::read_back::Reader;
use crate::workload::recorder::Recorder;
use suite::{CaseKind, CaseSpec, Records, Suite, Topology, missing};

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "scale_up",
        summary: "additional replicas join and vote (`[scale] to` is above the topology's number), and old records \
                  can be read through each replica",
        needs: &[&ready::CASE.kind],
        changes_release: true,
        disturbs: true,
        missing: missing::workload,
        check: adds,
        ..CaseKind::DEFAULT
    },
    run: |cx| passing(run(cx)),
};

fn adds(_: &CaseSpec, topology: &Topology, suite: &Suite) -> Result<(), String> {
    let Some(has) = suite.workload(None)?.and_then(|workload| workload.replicas(topology)) else {
        return Err("a DaemonSet can't be scaled: remove the case".to_owned());
    };
    let to = suite.scale.to;
    if to <= has {
        return Err(format!("`to = {to}` in [scale] adds no replica to `replicas = {has}`: write {} or more", has + 1));
    }
    Ok(())
}

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let deployed = cx.deployed()?;
    let to = deployed.suite.scale.to;
    settled::settled(cx, &deployed, deployed.wanted()).await?;
    let values = deployed.values.and(&[format!("{}={to}", deployed.suite.scale.value)]);
    let upgrade = deployed.helm.upgrade(&deployed.deployed_release(None)?.chart, &values).timeout(cx.wait.left());
    cx.wait.unless_hopeless(&deployed.watch, &upgrade.line(), upgrade.run()).await??;
    settled::settled(cx, &deployed, to).await?;
    match deployed.records() {
        Ok(records) => read_back(cx, &deployed, records).await,
        Err(_) => Ok(format!("{to} replicas ready; data not checked: no [records]")),
    }
}

/// Reads the records of earlier cases through each replica, and one that was written through the last of them.
async fn read_back(cx: &CaseContext, deployed: &DeployedTopology, records: &Records) -> anyhow::Result<String> {
    let to = deployed.suite.scale.to;
    let names = deployed.names(to);
    one_record::write(cx, deployed, names.last().map_or("", String::as_str)).await?;
    let recorder = Arc::new(Recorder::new(cx.name.clone(), cx.run.events.clone()));
    recorder.take_over(&deployed.kept.lock().await);
    let (application, watch, wait) = (&deployed.application, &deployed.watch, &cx.wait);
    let reader = Reader { records, application, watch, wait, recorder: &recorder, inside: None };
    let read = reader.read_all(&names).await?;
    let history = recorder.history(records.promise, names, Minimum { before: 0, during: 0, after: 0 });
    let failures = history::failures(&history, &history::judge_records(&history));
    ensure!(failures.is_empty(), "after scaling to {to} replicas: {}", failures.join("\n"));
    Ok(format!("{read} records read through each of {to} replicas"))
}
