//! `scale_up`: more replicas join, all vote, and what was written before is readable through each.

use std::sync::Arc;

use anyhow::ensure;
use history::model::Minimum;

use super::context::Cx;
use super::settled;
use super::write_read;
use crate::workload::read_back::Reader;
use crate::workload::recorder::Recorder;

/// Runs the case.
pub async fn run(cx: &Cx) -> anyhow::Result<String> {
    let stage = cx.stage()?;
    let to = stage.suite.scale.to;
    settled::settled(cx, &stage, stage.topology.replicas).await?;
    let values = stage.values.and(&[format!("{}={to}", stage.suite.scale.value)]);
    let upgrade = stage.helm.upgrade(&stage.suite.chart(), &values).timeout(cx.wait.left());
    cx.wait.unless_hopeless(&stage.watch, &upgrade.line(), upgrade.run()).await??;
    settled::settled(cx, &stage, to).await?;
    let names = stage.names(to);
    write_read::write(cx, &stage, names.last().map_or("", String::as_str)).await?;
    let recorder = Arc::new(Recorder::new(cx.name.clone(), cx.run.events.clone()));
    recorder.take_over(&stage.records.lock().await);
    let reader = Reader {
        records: stage.suite.records()?,
        http: &stage.http,
        watch: &stage.watch,
        wait: &cx.wait,
        recorder: &recorder,
    };
    let read = reader.read_all(&names).await?;
    let history = recorder.history(stage.suite.records()?.promise, names, Minimum { before: 0, during: 0, after: 0 });
    let failures = history::record_failures(&history);
    ensure!(failures.is_empty(), "after scaling to {to} replicas: {}", failures.join("\n"));
    Ok(format!("{read} records readable through each of {to} replicas"))
}
