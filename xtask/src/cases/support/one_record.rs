//! Writes and reads a single record through a replica.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use client::application::{self, Record, Written};
use client::team::CompletedOperation;
use history::{Connection, Operation, OperationKind};

use super::context::CaseContext;
use crate::deployed_topology::DeployedTopology;
use crate::workload::recorder::Recorder;

/// The time limit for a write, which is never retried; it leaves time for an election.
const WRITE_WITHIN: Duration = Duration::from_secs(10);

/// Writes a new record through a replica, and keeps it for later cases. A write without a response is never retried.
///
/// # Errors
/// If the write is not acknowledged.
pub async fn write(cx: &CaseContext, deployed: &DeployedTopology, replica: &str) -> anyhow::Result<Record> {
    let unique = format!("{}-{replica}", cx.unique());
    let recorder = Recorder::new(cx.name.clone(), cx.run.events.clone());
    let record = Record::new(unique.clone(), unique);
    let start_ns = recorder.now_ns();
    let records = deployed.records()?;
    let request = &records.write.request;
    let limit = WRITE_WITHIN.max(deployed.application.reach().timeout(request));
    let answer = deployed.application.ask_within(replica, request, record.fill(), limit).await;
    let id = match application::written(records, answer) {
        Written::Acknowledged(id) => id,
        Written::Failed(why) => bail!("a write through {replica} was refused: {why}"),
        Written::Unknown(why) => bail!("a write through {replica} was not acknowledged: {why}"),
    };
    let record = Record { id, ..record };
    let times = (start_ns, recorder.now_ns());
    let operation = Operation {
        replica: Some(replica.to_owned()),
        connection: Connection::Reused,
        value: Some(record.value.clone()),
        ..Operation::new(cx.unique(), OperationKind::Write, &record.key, times)
    };
    recorder.done(CompletedOperation { operation, record: Some(record.clone()), stranger: None });
    deployed.kept.lock().await.extend(recorder.sample(1));
    Ok(record)
}

/// Reads a record through a replica until it responds, and checks its value.
///
/// # Errors
/// If the record is missing or has another value. A read with a response is repeated only if reads may be late.
pub async fn expect(
    cx: &CaseContext,
    deployed: &DeployedTopology,
    replica: &str,
    record: &Record,
) -> anyhow::Result<()> {
    let what = format!("reading {} through {replica}", record.key);
    let records = deployed.records()?;
    let read = records.read.as_ref().context("the suite has no [records.read]")?;
    let ask = async || {
        let got = application::got(read, deployed.application.ask(replica, &read.request, record.fill()).await)?;
        let is_late = records.promise.allows_late_reads() && got.as_deref() != Some(&record.value);
        if is_late { Err(format!("found {}", got.as_deref().unwrap_or("nothing"))) } else { Ok(got) }
    };
    let got = cx.wait.ask_until(&deployed.watch, &what, ask).await?;
    let shown = got.as_deref().unwrap_or("nothing");
    ensure!(
        got.as_deref() == Some(&record.value),
        "{what}: it was acknowledged with {}, but found {shown}",
        record.value
    );
    Ok(())
}
