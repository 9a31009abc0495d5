//! `install`: a namespace of its own, and a release in it that the API server accepts.

use super::context::Cx;
use crate::run::Run;
use crate::stage::{self, Stage};

/// Runs the case.
pub async fn run(cx: &Cx) -> anyhow::Result<String> {
    let topology = cx.topology()?.clone();
    let live = cx.run.live()?;
    let namespace = namespace(&cx.run, &topology.name);
    stage::create_namespace(&live.client, &namespace, &cx.run.id).await?;
    let helm = live.helm(&cx.run, &namespace);
    let values = cx.run.values(&topology);
    let about = (cx.run.folder.as_path(), cx.run.events.clone());
    let stage = Stage::new(cx.run.suite.clone(), topology, live.client.clone(), helm, values, about);
    let stage = cx.run.add_stage(cx.topology, stage);
    let install = stage.helm.install(&cx.run.suite.chart(), &stage.values).timeout(cx.wait.left());
    cx.wait.unless_hopeless(&stage.watch, &install.line(), install.run()).await??;
    Ok(format!("namespace {namespace}"))
}

fn namespace(run: &Run, topology: &str) -> String {
    format!("chartproof-{topology}-{}", run.id)
}
