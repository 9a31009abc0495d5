//! Containers: pull policy, probes, ports, references.

use serde_json::Value;

use crate::registry::value::{empty, fill, items_mut, text, there};

/// Fills in a container of any type.
pub fn apply(container: &mut Value) {
    for port in items_mut(container, "ports") {
        fill(port, "protocol", "TCP");
    }
    for variable in items_mut(container, "env") {
        if let Some(reference) = variable.pointer_mut("/valueFrom/fieldRef") {
            fill(reference, "apiVersion", "v1");
        }
        if let Some(reference) = variable.pointer_mut("/valueFrom/resourceFieldRef") {
            fill(reference, "divisor", "0");
        }
    }
    fill(container, "resources", empty());
    for probe_field in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = there(container, probe_field) {
            self::probe(probe);
        }
    }
    for hook in ["postStart", "preStop"] {
        if let Some(request) = container.pointer_mut(&format!("/lifecycle/{hook}/httpGet")) {
            http(request);
        }
    }
    fill(container, "terminationMessagePath", "/dev/termination-log");
    fill(container, "terminationMessagePolicy", "File");
    let policy = pull_policy(text(container, "image"));
    fill(container, "imagePullPolicy", policy);
}

/// Returns `Always` for the tag `latest`, explicit or not.
fn pull_policy(image: &str) -> &'static str {
    let name = image.rsplit('/').next().unwrap_or_default();
    let tag = name.split_once(':').map_or("latest", |(_, tag)| tag);
    if tag == "latest" && !name.contains('@') { "Always" } else { "IfNotPresent" }
}

fn probe(probe: &mut Value) {
    fill_number(probe, "timeoutSeconds", 1);
    fill_number(probe, "periodSeconds", 10);
    fill_number(probe, "successThreshold", 1);
    fill_number(probe, "failureThreshold", 3);
    if let Some(request) = there(probe, "httpGet") {
        http(request);
    }
    if let Some(grpc) = there(probe, "grpc")
        && grpc["service"].is_null()
    {
        grpc["service"] = "".into();
    }
}

/// Fills in a number; zero counts as missing.
fn fill_number(object: &mut Value, field: &str, value: i64) {
    if object[field].as_i64().unwrap_or(0) == 0 {
        object[field] = value.into();
    }
}

fn http(request: &mut Value) {
    fill(request, "path", "/");
    fill(request, "scheme", "HTTP");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_determines_the_pull_policy() {
        let table = [
            ("busybox", "Always"),
            ("busybox:latest", "Always"),
            ("busybox:1.36.1", "IfNotPresent"),
            ("localhost:5000/busybox", "Always"),
            ("localhost:5000/busybox:1", "IfNotPresent"),
            ("busybox@sha256:0", "IfNotPresent"),
        ];
        for (image, wanted) in table {
            assert_eq!(pull_policy(image), wanted, "{image}");
        }
    }
}
