//! Deletes an object: at once, or by marking it if it has a grace period or finalizers.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

use super::custom::definition;
use super::{DeleteOptions, Registry, meta};
use crate::kinds::Kind;
use crate::status::Status;

/// The result of a deletion.
#[derive(Debug)]
pub struct Deleted {
    /// The last state of the object, or its state after marking.
    pub object: Arc<Value>,
    /// Whether it is removed.
    pub gone: bool,
}

/// The result of one attempt at a deletion.
enum DeletionStep {
    /// It is removed, or marked.
    Done(Deleted),
    /// Its grace period is over, and it has to be removed.
    Begun(Arc<Value>),
    /// It was changed meanwhile.
    Again,
}

impl Registry {
    /// Deletes an object: at once, or by marking it if it has a grace period or finalizers.
    ///
    /// # Errors
    /// 404; 409 if a precondition fails.
    pub(crate) fn delete(
        &self,
        kind: &'static Kind,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<Deleted, Status> {
        let kind = self.custom_version(kind).map_or(kind.stored(), |version| version.storage);
        let mut begun: Option<Arc<Value>> = None;
        loop {
            let is_it = |stored: &Arc<Value>| begun.as_ref().is_none_or(|begun| uid(begun) == uid(stored));
            let Some(stored) = self.store.get(kind, namespace, name).filter(is_it) else {
                // Someone else removed it first, and another object may have its name by now.
                return begun.map(|object| Deleted { object, gone: true }).ok_or_else(|| Status::not_found(kind, name));
            };
            if begun.is_none() {
                check_preconditions(kind, name, &stored, options)?;
            }
            match self.delete_step(kind, &stored, options)? {
                DeletionStep::Done(deleted) => return Ok(deleted),
                DeletionStep::Begun(object) => begun = Some(object),
                DeletionStep::Again => {}
            }
        }
    }

    fn delete_step(
        &self,
        kind: &'static Kind,
        stored: &Arc<Value>,
        options: &DeleteOptions,
    ) -> Result<DeletionStep, Status> {
        let grace_s = grace_seconds(kind, stored, options);
        let finalizers = finalizers_to_keep(kind, stored, options);
        let is_final = grace_s == 0 && finalizers.is_empty() && !has_namespace_finalizers(kind, stored);
        let done = |object, gone| Ok(DeletionStep::Done(Deleted { object, gone }));
        if options.dry_run {
            return done(stored.clone(), is_final);
        }
        if is_final && (kind.built_in() != "Pod" || granted_s(stored) == Some(0)) {
            return self.store.remove(kind, stored).map_or(Ok(DeletionStep::Again), |object| done(object, true));
        }
        if is_marked_already(stored, grace_s, &finalizers) {
            return done(stored.clone(), false);
        }
        match self.store.replace(kind, marked(kind, stored, grace_s, &finalizers)) {
            Err(status) if matches!(status.reason, "Conflict" | "NotFound") => Ok(DeletionStep::Again),
            Err(status) => Err(status),
            // A watch sees that the pod's grace period is over before it sees that the pod is removed.
            Ok(object) if is_final => Ok(DeletionStep::Begun(object)),
            Ok(object) => done(object, false),
        }
    }

    /// Removes an object that is being deleted and has no finalizers left.
    pub(super) fn remove_if_final(&self, kind: &'static Kind, object: Arc<Value>) -> Result<Arc<Value>, Status> {
        let grace_s = object["metadata"]["deletionGracePeriodSeconds"].as_i64().unwrap_or(0);
        let is_held = !meta::finalizers(&object).is_empty() || has_namespace_finalizers(kind, &object);
        if !meta::is_deleting(&object) || is_held || grace_s > 0 {
            return Ok(object);
        }
        match self.store.remove(kind, &object) {
            // Someone else removed it first, or wrote to it and removes it then: the request is fulfilled.
            Err(status) if matches!(status.code, 404 | 409) => Ok(object),
            outcome => outcome,
        }
    }
}

fn uid(object: &Value) -> &Value {
    &object["metadata"]["uid"]
}

/// Rejects a deletion that was meant for another object, or for another version of it.
///
/// # Errors
/// 409 `Conflict`.
pub fn check_preconditions(kind: &Kind, name: &str, stored: &Value, options: &DeleteOptions) -> Result<(), Status> {
    let refuse = |what: &str, sent: &str, kept: &Value| {
        let message = format!(
            "Operation cannot be fulfilled on {} \"{name}\": the {what} in the precondition ({sent}) does not match \
             the {what} in record ({}). The object might have been {}",
            kind.kind,
            kept.as_str().unwrap_or_default(),
            if what == "UID" { "deleted and then recreated" } else { "modified" }
        );
        let details = json!({"name": name, "kind": kind.kind});
        Err(Status { details, ..Status::new(409, "Conflict", message) })
    };
    let metadata = &stored["metadata"];
    if let Some(sent) = options.precondition_uid.as_deref().filter(|sent| metadata["uid"] != **sent) {
        return refuse("UID", sent, &metadata["uid"]);
    }
    let version = options.precondition_resource_version.as_deref();
    if let Some(sent) = version.filter(|sent| metadata["resourceVersion"] != **sent) {
        return refuse("ResourceVersion", sent, &metadata["resourceVersion"]);
    }
    Ok(())
}

/// Returns the grace period: only a pod that has a node and still runs has one.
fn grace_seconds(kind: &Kind, stored: &Value, options: &DeleteOptions) -> i64 {
    let has_node = stored["spec"]["nodeName"].as_str().is_some_and(|node| !node.is_empty());
    let is_over = matches!(stored["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    if kind.built_in() != "Pod" || !has_node || is_over {
        return 0;
    }
    let own = stored["spec"]["terminationGracePeriodSeconds"].as_i64().unwrap_or(30);
    options.grace_period_seconds.unwrap_or(own).max(0)
}

/// Returns the finalizers after the deletion, including those that represent the propagation policy.
fn finalizers_to_keep(kind: &Kind, stored: &Value, options: &DeleteOptions) -> Vec<String> {
    let mut finalizers = meta::finalizers(stored);
    // Instances go before their definition.
    if kind.built_in() == "CustomResourceDefinition" && !meta::is_deleting(stored) {
        finalizers.push(definition::FINALIZER.to_owned());
    }
    let wanted = match options.propagation_policy.as_deref() {
        Some("Foreground") if kind.built_in() != "Pod" => Some("foregroundDeletion"),
        Some("Orphan") if kind.built_in() != "Pod" => Some("orphan"),
        Some(_) => None,
        None => return finalizers,
    };
    finalizers.retain(|name| !matches!(name.as_str(), "foregroundDeletion" | "orphan"));
    finalizers.extend(wanted.map(str::to_owned));
    finalizers
}

/// Returns whether the finalizers of a namespace keep it until its content is deleted.
fn has_namespace_finalizers(kind: &Kind, stored: &Value) -> bool {
    kind.built_in() == "Namespace" && stored["spec"]["finalizers"].as_array().is_some_and(|f| !f.is_empty())
}

fn is_marked_already(stored: &Value, grace_s: i64, finalizers: &[String]) -> bool {
    meta::is_deleting(stored) && grace_s >= granted_s(stored).unwrap_or(0) && *finalizers == meta::finalizers(stored)
}

/// Returns the grace period of an object that is being deleted.
fn granted_s(stored: &Value) -> Option<i64> {
    stored["metadata"]["deletionGracePeriodSeconds"].as_i64()
}

/// Returns when the grace period ends: a shortened one counts from the first deletion.
fn end(stored: &Value, grace_s: i64) -> DateTime<Utc> {
    let marked = stored["metadata"]["deletionTimestamp"].as_str().and_then(|end| end.parse::<DateTime<Utc>>().ok());
    let begin = marked.zip(granted_s(stored)).map(|(end, granted_s)| end - TimeDelta::seconds(granted_s));
    begin.unwrap_or_else(Utc::now) + TimeDelta::seconds(grace_s)
}

fn marked(kind: &Kind, stored: &Value, grace_s: i64, finalizers: &[String]) -> Value {
    let mut marked = stored.clone();
    if !meta::is_deleting(stored) && meta::is_counted(kind) {
        marked["metadata"]["generation"] = (stored["metadata"]["generation"].as_i64().unwrap_or(0) + 1).into();
    }
    marked["metadata"]["deletionTimestamp"] = end(stored, grace_s).to_rfc3339_opts(SecondsFormat::Secs, true).into();
    marked["metadata"]["deletionGracePeriodSeconds"] = grace_s.into();
    meta::set_or_drop(&mut marked, "finalizers", (!finalizers.is_empty()).then(|| json!(finalizers)).as_ref());
    match kind.built_in() {
        "Namespace" => marked["status"]["phase"] = "Terminating".into(),
        "CustomResourceDefinition" => definition::mark_terminating(&mut marked),
        _ => {}
    }
    marked
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::kinds;

    /// Removes every pod whose grace period is over, as fast as it can.
    fn node(registry: &Registry, pods: &'static Kind, is_over: &AtomicBool) {
        while !is_over.load(Ordering::Relaxed) {
            for pod in registry.store.list(pods, None).0.iter().filter(|pod| granted_s(pod) == Some(0)) {
                let _ = registry.store.remove(pods, pod);
            }
        }
    }

    #[test]
    fn a_pod_that_the_node_removes_first_counts_as_deleted() {
        let (registry, pods) = (Registry::new(), kinds::find("", "v1", "pods").unwrap());
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| node(&registry, pods, &is_over));
            let deleted = (0..2000).all(|uid| {
                let metadata = json!({"namespace": "a", "name": "ended", "uid": uid.to_string()});
                let pod = json!({"metadata": metadata, "spec": {"nodeName": "n"}, "status": {"phase": "Succeeded"}});
                let inserted = registry.store.insert(pods, pod);
                inserted.and_then(|_| registry.delete(pods, "a", "ended", &DeleteOptions::default())).is_ok()
            });
            is_over.store(true, Ordering::Relaxed);
            assert!(deleted);
        });
    }
}
