//! A topology that starts anew, for another attempt after a failed one.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::Api;
use kube::api::{DeleteParams, ListParams};

use crate::cases::support::context::CaseContext;
use crate::cases::support::extra;
use crate::deployed_topology::DeployedTopology;
use kubernetes::call;

/// Uninstalls the release under test, deletes its claims, and installs it again.
///
/// # Errors
/// If helm fails, or something is not gone within the case's time limit.
pub async fn install(cx: &CaseContext, deployed: &DeployedTopology) -> anyhow::Result<()> {
    let release = deployed.deployed_release(None)?;
    extra::uninstall(cx, release).await?;
    delete_claims(cx, deployed).await?;
    deployed.kept.lock().await.clear();
    let install = release.helm.install(&release.chart, &release.values).timeout(cx.wait.left());
    cx.wait.unless_hopeless(&release.watch, &install.line(), install.run()).await??;
    Ok(())
}

async fn delete_claims(cx: &CaseContext, deployed: &DeployedTopology) -> anyhow::Result<()> {
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(deployed.client.clone(), deployed.namespace());
    let (what, all) = ("deleting the claims of the failed attempt", ListParams::default());
    call(what, claims.delete_collection(&DeleteParams::default(), &all)).await?;
    let gone = async || match claims.list(&all).await.map(|left| left.items.len()) {
        Ok(0) => Ok(()),
        Ok(left) => Err(format!("{left} left")),
        Err(error) => Err(error.to_string()),
    };
    cx.wait.ask_until(&deployed.watch, what, gone).await
}
