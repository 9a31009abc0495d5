//! `claims_removed`: claims that outlived their release are found by their label, and deleted.

use anyhow::ensure;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::Api;
use kube::api::{DeleteParams, ListParams};

use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use super::uninstall;
use kubernetes::call;
use suite::CaseKind;

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "claims_removed",
        summary: "the claims that outlived the release are found by `app.kubernetes.io/instance`, and deleted",
        needs: &[&uninstall::CASE.kind],
        takes_release: true,
        ..CaseKind::DEFAULT
    },
    run: |cx| passing(run(cx)),
};

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let deployed = cx.deployed()?;
    let deployed_release = cx.deployed_release(&deployed)?;
    let label = format!("app.kubernetes.io/instance={}", deployed_release.release.name);
    let claims: Api<PersistentVolumeClaim> =
        Api::namespaced(deployed.client.clone(), deployed_release.watch.namespace());
    let of_release = ListParams::default().labels(&label);
    let found = call("listing claims", claims.list(&of_release)).await?.items.len();
    ensure!(
        found > 0,
        "no PersistentVolumeClaim has the label {label}, which is needed to find what outlives the release"
    );
    let what = format!("deleting the claims with {label}");
    call(&what, claims.delete_collection(&DeleteParams::default(), &of_release)).await?;
    let gone = async || match claims.list(&of_release).await.map(|left| left.items.len()) {
        Ok(0) => Ok(()),
        Ok(left) => Err(format!("{left} left")),
        Err(error) => Err(error.to_string()),
    };
    cx.wait.ask_until(&deployed_release.watch, &what, gone).await?;
    Ok(format!("{found} with {label}"))
}
