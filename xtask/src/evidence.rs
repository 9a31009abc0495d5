//! Evidence of a failed case, collected before anything is cleaned up. It never hides the first error.

use std::path::Path;
use std::time::Duration;

use kube::ResourceExt;
use kube::api::{Api, DynamicObject, ListParams};
use kube::core::discovery::verbs;
use kube::discovery::{Discovery, Scope};
use serde_json::Value;

use crate::kubernetes::call;
use crate::phases::context::Cx;
use crate::stage::Stage;

/// The longest that collecting may take.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Dumps every object of the case's namespace into the run's folder.
pub async fn collect(cx: &Cx) {
    let Ok(stage) = cx.stage() else { return };
    let name = cx.name.rsplit("::").next().unwrap_or_default();
    let folder = stage.folder.join("failed").join(name);
    let collected = tokio::time::timeout(TIMEOUT, dump(&stage, &folder)).await;
    let trouble = match collected {
        Ok(Ok(())) => return,
        Ok(Err(error)) => format!("{error:#}"),
        Err(_) => format!("not within {} s", TIMEOUT.as_secs()),
    };
    cx.run.events.note(format!("collecting evidence of {}: {trouble}", cx.name));
}

async fn dump(stage: &Stage, folder: &Path) -> anyhow::Result<()> {
    tokio::fs::create_dir_all(folder).await?;
    let discovery = call("asking for the kinds of the api", Discovery::new(stage.client.clone()).run()).await?;
    let kinds = discovery.groups().flat_map(kube::discovery::ApiGroup::recommended_resources);
    let kinds = kinds.filter(|(_, can)| can.scope == Scope::Namespaced && can.supports_operation(verbs::LIST));
    for (kind, _) in kinds {
        let api: Api<DynamicObject> = Api::namespaced_with(stage.client.clone(), stage.namespace(), &kind);
        // One kind that can't be listed is no reason to lose the others.
        let Ok(found) = call("listing", api.list(&ListParams::default())).await else { continue };
        for object in found.items {
            let file = folder.join(format!("{}.{}.json", kind.kind, object.name_any()));
            tokio::fs::write(file, serde_json::to_vec_pretty(&redacted(&object)?)?).await?;
        }
    }
    Ok(())
}

/// The object without what a Secret holds.
fn redacted(object: &DynamicObject) -> anyhow::Result<Value> {
    let mut value = serde_json::to_value(object)?;
    let is_secret = object.types.as_ref().is_some_and(|types| types.kind == "Secret");
    for field in ["data", "stringData"] {
        if let Some(Value::Object(data)) = value.get_mut(field).filter(|_| is_secret) {
            data.values_mut().for_each(|value| *value = Value::from("redacted"));
        }
    }
    Ok(value)
}
