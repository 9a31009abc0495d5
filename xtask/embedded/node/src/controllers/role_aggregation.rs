//! The rules of cluster roles that aggregate others by their labels.

use k8s_openapi::api::rbac::v1::ClusterRole;
use serde_json::Value;

use super::reconcile::touches;
use super::{Controller, ControllerContext, Key, ReconcileResult};
use crate::client::Client;
use crate::kinds;
use crate::registry::rbac::aggregate;
use crate::store::{self, Change};

/// Writes the rules of aggregating roles.
pub const CONTROLLER: Controller = Controller { name: "clusterrole-aggregation", keys, reconcile };

fn keys(client: &Client, change: &Change) -> Vec<Key> {
    if change.kind != kinds::of::<ClusterRole>()
        || !touches(change, &["/rules", "/metadata/labels", "/aggregationRule"])
    {
        return Vec::new();
    }
    let roles = client.list_stored(change.kind);
    roles.iter().filter(|role| role["aggregationRule"].is_object()).map(|role| store::key(role)).collect()
}

fn reconcile(context: &ControllerContext, (_, name): &Key) -> ReconcileResult {
    let (client, kind) = (&context.client, kinds::of::<ClusterRole>());
    let roles = client.list_stored(kind);
    let Some(role) = roles.iter().find(|role| role["metadata"]["name"] == **name) else { return Ok(None) };
    if !role["aggregationRule"].is_object() {
        return Ok(None);
    }
    let rules: Value = aggregate(role, &roles.iter().map(AsRef::as_ref).collect::<Vec<_>>()).into();
    client.modify_stored(kind, role, |role| {
        let changed = role["rules"] != rules;
        role["rules"] = rules.clone();
        changed
    })?;
    Ok(None)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::controllers::testing::Simulation;

    #[test]
    fn roles_of_roles_are_aggregated_and_lose_what_is_gone() {
        let mut simulation = Simulation::new("a");
        let rule = json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]});
        let gathering = |of: &str| json!({"clusterRoleSelectors": [{"matchLabels": {"part-of": of}}]});
        let role = |name: &str, of: &str, rest: Value| {
            let mut role = json!({"metadata": {"name": name, "labels": {"part-of": of}}, "rules": []});
            role.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
            role
        };
        simulation.create::<ClusterRole>(role("outer", "", json!({"aggregationRule": gathering("outer")})));
        simulation.create::<ClusterRole>(role("inner", "outer", json!({"aggregationRule": gathering("inner")})));
        let part: ClusterRole = serde_json::from_value(role("part", "inner", json!({"rules": [rule]}))).unwrap();
        let part = simulation.context.client.create(&part).unwrap();
        simulation.settle();
        let rules = |simulation: &Simulation| {
            let outer = simulation.context.client.get::<ClusterRole>("", "outer").unwrap();
            serde_json::to_value(outer.rules.unwrap_or_default()).unwrap()
        };
        assert_eq!(rules(&simulation), json!([rule]));
        simulation.context.client.delete(&part, &crate::registry::DeleteOptions::default()).unwrap();
        simulation.settle();
        assert_eq!(rules(&simulation), json!([]));
    }
}
