//! Image references and the documents in an image archive, shared by the harness and the embedded node.
//!
//! This replaces the crate `oci-spec`, which adds 14 crates, mostly macros, takes half a second to parse its first
//! reference in a debug build, reports every malformed one as "invalid reference format", and rejects documents that
//! Docker writes (a layer without a media type).

mod document;
mod reference;

pub use document::{Config, Descriptor, Index, Manifest, NAME_ANNOTATION, Process, REF_NAME_ANNOTATION, SavedImage};
pub use reference::{Invalid, Reference, is_digest};

/// Returns this machine's architecture as image platforms name it: `amd64`.
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
