//! Certificate signing requests.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{Cause, not_negative};
use crate::registry::value::{items, text};

/// Checks a `CertificateSigningRequest`.
pub fn request(request: &Value) -> Vec<Cause> {
    let spec = &request["spec"];
    let mut causes = Vec::new();
    let decoded = STANDARD.decode(text(spec, "request")).unwrap_or_default();
    if !decoded.starts_with(b"-----BEGIN CERTIFICATE REQUEST-----") {
        let why = "PEM block type must be CERTIFICATE REQUEST";
        causes.push(Cause::bad("spec.request", &spec["request"], why));
    }
    if items(spec, "usages").next().is_none() {
        causes.push(Cause::required("spec.usages", ""));
    }
    match text(spec, "signerName") {
        "" => causes.push(Cause::required("spec.signerName", "")),
        name if name.split('/').filter(|part| !part.is_empty()).count() != 2 => {
            let why = "must be a fully qualified domain and path of the form 'example.com/signer-name'";
            causes.push(Cause::bad("spec.signerName", &spec["signerName"], why));
        }
        _ => {}
    }
    not_negative(spec, "expirationSeconds", "spec", &mut causes);
    causes
}

/// Checks a request that replaces another.
pub fn changed(stored: &Value, request: &Value) -> Vec<Cause> {
    if stored["spec"] == request["spec"] {
        return Vec::new();
    }
    vec![Cause::bad("spec", &request["spec"], "updates to certificate signing request spec are forbidden")]
}
