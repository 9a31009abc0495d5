//! `health`: every replica says over a port-forward that it is healthy, within the case's time.

use anyhow::Context as _;

use super::context::Cx;
use crate::suite::Request;
use crate::suite::template::Fill;

/// Runs the case.
pub async fn run(cx: &Cx) -> anyhow::Result<String> {
    let stage = cx.stage()?;
    let http = stage.suite.http.as_ref().context("the suite has no [http]")?;
    let request = Request::get(&http.health);
    for name in stage.names(stage.topology.replicas) {
        let what = format!("{name} says that it is healthy");
        let ask = async || {
            let answer =
                stage.http.ask(&name, &request, Fill::default()).await.map_err(|failure| failure.to_string())?;
            answer.expect(request.status).map(drop)
        };
        cx.wait.ask_until(&stage.watch, &what, ask).await?;
    }
    Ok(String::new())
}
