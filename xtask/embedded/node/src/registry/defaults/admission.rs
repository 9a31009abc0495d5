//! Webhooks and admission policies.

use serde_json::Value;

use crate::registry::value::{empty, fill, items_mut, there};

/// Fills in a `ValidatingWebhookConfiguration` or a `MutatingWebhookConfiguration`.
pub fn webhooks(configuration: &mut Value) {
    let mutates = configuration["kind"] == "MutatingWebhookConfiguration";
    for webhook in items_mut(configuration, "webhooks") {
        fill(webhook, "failurePolicy", "Fail");
        fill(webhook, "matchPolicy", "Equivalent");
        fill(webhook, "namespaceSelector", empty());
        fill(webhook, "objectSelector", empty());
        fill(webhook, "timeoutSeconds", 10);
        if mutates {
            fill(webhook, "reinvocationPolicy", "Never");
        }
        items_mut(webhook, "rules").for_each(|rule| fill(rule, "scope", "*"));
        if let Some(service) = there(&mut webhook["clientConfig"], "service") {
            fill(service, "port", 443);
        }
    }
}

/// Fills in a `ValidatingAdmissionPolicy` or a `MutatingAdmissionPolicy`.
pub fn policy(policy: &mut Value) {
    fill(&mut policy["spec"], "failurePolicy", "Fail");
    if let Some(constraints) = there(&mut policy["spec"], "matchConstraints") {
        resources(constraints);
    }
}

/// Fills in a binding of a policy.
pub fn binding(binding: &mut Value) {
    if let Some(matched) = there(&mut binding["spec"], "matchResources") {
        resources(matched);
    }
}

fn resources(matched: &mut Value) {
    fill(matched, "matchPolicy", "Equivalent");
    fill(matched, "namespaceSelector", empty());
    fill(matched, "objectSelector", empty());
    for field in ["resourceRules", "excludeResourceRules"] {
        items_mut(matched, field).for_each(|rule| fill(rule, "scope", "*"));
    }
}
