//! Container images as the harness and the embedded node both read them: references, and the documents of an archive.
//!
//! Own code rather than the crate `oci-spec`: that one adds 14 crates, mostly of macros, takes half a second in a debug
//! build to parse its first reference, calls every wrong one "invalid reference format", and refuses documents that
//! Docker writes (a layer without a media type).

mod document;
mod reference;

pub use document::{Config, Descriptor, Index, Manifest, NAME_ANNOTATION, Process, REF_NAME_ANNOTATION, SavedImage};
pub use reference::{Invalid, Reference, is_digest};

/// Returns this machine's architecture as images name it: `amd64`.
pub fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "powerpc64" => "ppc64le",
        other => other,
    }
}

/// Returns the platform of the containers that this machine runs: `linux/amd64`.
pub fn platform() -> String {
    format!("linux/{}", architecture())
}
