//! One record: written through a replica, and read through a replica.

use std::time::Duration;

use anyhow::{bail, ensure};
use client::application::{self, Record, Written};
use client::team::Done;
use history::{Connection, Operation, OperationKind};

use super::context::Cx;
use crate::stage::Stage;
use crate::workload::recorder::Recorder;

/// How long the answer to a write may take that is asked for only once: an election may come between.
const WRITE_WITHIN: Duration = Duration::from_secs(10);

/// Writes a new record through a replica, for later cases to look for as well. A write that is not
/// answered is never sent again.
///
/// # Errors
/// Where it is not acknowledged.
pub async fn write(cx: &Cx, stage: &Stage, replica: &str) -> anyhow::Result<Record> {
    let unique = format!("{}-{replica}", cx.unique());
    let recorder = Recorder::new(cx.name.clone(), cx.run.events.clone());
    let record = Record::new(unique.clone(), unique);
    let start_ns = recorder.now_ns();
    let records = stage.suite.records()?;
    let limit = WRITE_WITHIN.max(stage.http.timeout());
    let answer = stage.http.ask_within(replica, &records.write.request, record.fill(), limit).await;
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
    recorder.done(Done { operation, record: Some(record.clone()), stranger: None });
    stage.records.lock().await.extend(recorder.sample(1));
    Ok(record)
}

/// Reads a record through a replica until that answers, and wants it there with its value.
///
/// # Errors
/// Where it is absent or holds something else. A read that was answered is asked again only where reads may be late.
pub async fn expect(cx: &Cx, stage: &Stage, replica: &str, record: &Record) -> anyhow::Result<()> {
    let what = format!("reading {} through {replica}", record.key);
    let records = stage.suite.records()?;
    let read = async || {
        let got = application::got(records, stage.http.ask(replica, &records.read.request, record.fill()).await)?;
        let is_late = records.promise.allows_late_reads() && got.as_deref() != Some(&record.value);
        if is_late { Err(format!("{} is there", got.as_deref().unwrap_or("nothing"))) } else { Ok(got) }
    };
    let got = cx.wait.ask_until(&stage.watch, &what, read).await?;
    let shown = got.as_deref().unwrap_or("nothing");
    ensure!(
        got.as_deref() == Some(&record.value),
        "{what}: it was acknowledged with {}, now {shown} is there",
        record.value
    );
    Ok(())
}
