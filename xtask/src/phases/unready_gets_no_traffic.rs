//! `unready_gets_no_traffic`: a replica that is made unready gets no request through the Service, is not restarted, and
//! gets some again when it is ready.

use anyhow::{Context as _, ensure};
use client::records::{Pointer, Request};
use client::template::Fill;
use kube::ResourceExt;
use serde::Deserialize;

use super::context::Cx;
use super::{settled, spread};
use crate::stage::Stage;
use kubernetes::objects;

/// How many requests in a row have to go elsewhere: with three replicas, one in two thousand millions does so by chance.
const REQUESTS: usize = 50;

/// Its parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct With {
    /// Makes a replica unready.
    unready: Request,
    /// Makes it ready again.
    ready: Request,
    /// The Service, with its port.
    to: String,
    /// What is asked through it.
    request: Request,
    /// JSON pointer to the name of the pod that answered.
    pod: Pointer,
}

/// Runs the case.
pub async fn run(cx: &Cx) -> anyhow::Result<String> {
    let (stage, with) = (cx.stage()?, cx.with::<With>()?);
    let asked: spread::With =
        spread::With { to: with.to.clone(), request: with.request.clone(), pod: with.pod.clone() };
    settled::ready(cx, &stage, cx.replicas()?).await?;
    let victim = stage.replicas().into_iter().next().context("there is no replica")?;
    let (victim, before) = (victim.name_any(), objects::restarts(&victim));
    let mut asker = spread::open(cx, &stage).await?;
    switch(&stage, &victim, &with.unready).await?;
    until_ready_is(cx, &stage, &victim, false).await?;
    // The Service learns of it a little later than the pod's status says so.
    let mut elsewhere = 0;
    let ask = async || {
        let from = spread::answering(&mut asker, &asked).await?;
        elsewhere = if from == victim { 0 } else { elsewhere + 1 };
        if elsewhere >= REQUESTS { Ok(()) } else { Err(format!("{elsewhere} requests in a row went elsewhere")) }
    };
    let what = format!("{REQUESTS} requests in a row through {} that do not go to {victim}", with.to);
    cx.wait.ask_until(&stage.watch, &what, ask).await?;
    let now = stage.pod(&victim).as_ref().map(objects::restarts);
    ensure!(now == Some(before), "Pod/{victim} was restarted or replaced: it was only unready");
    switch(&stage, &victim, &with.ready).await?;
    until_ready_is(cx, &stage, &victim, true).await?;
    let again = async || match spread::answering(&mut asker, &asked).await? {
        from if from == victim => Ok(()),
        from => Err(format!("{from} answered")),
    };
    cx.wait.ask_until(&stage.watch, &format!("a request that goes to {victim} again"), again).await?;
    Ok(format!("{victim} got none of {REQUESTS} requests while it was unready"))
}

async fn switch(stage: &Stage, pod: &str, request: &Request) -> anyhow::Result<()> {
    let answer = stage.http.ask(pod, request, Fill::default()).await.map_err(|failure| failure.to_string());
    answer.and_then(|answer| answer.expect(request.status)).map(drop).map_err(anyhow::Error::msg)
}

async fn until_ready_is(cx: &Cx, stage: &Stage, name: &str, ready: bool) -> anyhow::Result<()> {
    let what = format!("Pod/{name} {}", if ready { "ready again" } else { "not ready" });
    cx.wait
        .until(&stage.watch, &what, |state| match state.pods.get(name) {
            Some(pod) if objects::is_ready(pod) == ready => Ok(()),
            Some(pod) => Err(objects::pod_line(pod)),
            None => Err("it is gone".to_owned()),
        })
        .await
}
