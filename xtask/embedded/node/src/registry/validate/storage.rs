//! Claims and storage classes.

use serde_json::{Value, json};

use super::{Cause, immutable, names};
use crate::registry::value::{items, remove, text};
use resources::quantity;

const CLAIM_CHANGEABLE: &str =
    "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";

/// Checks a claim (or a template of one) whose spec is at `path`.
pub fn claim(claim: &Value, path: &str) -> Vec<Cause> {
    let spec = &claim["spec"];
    let mut causes = Vec::new();
    let supported = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
    if items(spec, "accessModes").next().is_none() {
        causes.push(Cause::required(format!("{path}.accessModes"), "at least 1 access mode is required"));
    }
    for mode in items(spec, "accessModes") {
        if !mode.as_str().is_some_and(|mode| supported.contains(&mode)) {
            causes.push(Cause::not_supported(format!("{path}.accessModes"), mode, &supported));
        }
    }
    let volume = text(spec, "volumeName");
    if !volume.is_empty() {
        let field = format!("{path}.volumeName");
        causes.extend(names::subdomain(volume).iter().map(|fault| Cause::bad(&field, &json!(volume), fault)));
    }
    let storage = &spec["resources"]["requests"]["storage"];
    match storage.as_str().and_then(quantity::parse) {
        None => causes.push(Cause::required(format!("{path}.resources[storage]"), "")),
        Some(amount) if amount.nanos() <= 0 => {
            causes.push(Cause::bad(format!("{path}.resources[storage]"), storage, "must be greater than zero"));
        }
        Some(_) => {}
    }
    causes
}

/// Checks a claim that replaces another.
pub fn claim_changed(stored: &Value, claim: &Value) -> Vec<Cause> {
    let fixed = |claim: &Value| {
        let mut spec = claim["spec"].clone();
        remove(&mut spec["resources"], "requests");
        remove(&mut spec, "volumeAttributesClassName");
        spec
    };
    let (mut before, after) = (fixed(stored), fixed(claim));
    // A claim that is not bound may be given a volume, once.
    if text(&before, "volumeName").is_empty() && !text(&after, "volumeName").is_empty() {
        before["volumeName"] = after["volumeName"].clone();
    }
    if !immutable::is_same(&before, &after) {
        return vec![Cause::forbidden("spec", CLAIM_CHANGEABLE)];
    }
    let size = |claim: &Value| {
        let text = claim["spec"]["resources"]["requests"]["storage"].as_str().unwrap_or_default();
        quantity::parse(text).map_or(0, quantity::Quantity::nanos)
    };
    match size(claim).cmp(&size(stored)) {
        std::cmp::Ordering::Less => {
            let why = "field can not be less than status.capacity";
            vec![Cause::forbidden("spec.resources.requests.storage", why)]
        }
        // No volume here can grow, as with kind's local-path provisioner.
        std::cmp::Ordering::Greater => {
            let why = "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc \
                must support resize";
            vec![Cause::forbidden("spec.resources.requests.storage", why)]
        }
        std::cmp::Ordering::Equal => Vec::new(),
    }
}

/// Checks a storage class that replaces another.
pub fn class_changed(stored: &Value, class: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    for field in ["provisioner", "parameters", "reclaimPolicy"] {
        if stored[field] != class[field] {
            causes.push(Cause::forbidden(field, &format!("updates to {field} are forbidden.")));
        }
    }
    causes
}
