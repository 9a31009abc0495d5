//! Container images: which ones a chart needs, where they come from, and archives that a node can load.
//!
//! It knows references, archives, and how Docker pulls and saves images. It must not know which cluster loads them.

mod archive;
pub mod client;
mod compile;
mod find;
mod in_docker;
pub mod program;
mod programs;
mod pull;
pub mod standin;
mod values;
mod write;

use std::path::{Path, PathBuf};

pub use archive::{check, ids};
pub use find::{in_manifests, of_containers};
pub use oci::Reference;
pub use programs::{Program, missing, program};
pub use pull::{ImageError, RETRIES, provide, repo_digests, save};
pub use values::{ImageValues, in_values};

use console::exit;

/// An image archive, as `docker save` writes it, and its references.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// The file.
    pub path: PathBuf,
    /// The references of its images; empty if they have none.
    pub references: Vec<Reference>,
}

/// An image under test that was given as a flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnderTest {
    /// A reference to an image that is present locally or has to be pulled.
    Reference(Reference),
    /// A checked archive.
    Archive(Archive),
}

impl UnderTest {
    /// Parses the value of `--image`. Nothing is created: archives are read, references are only parsed.
    ///
    /// # Errors
    /// A usage error if it is neither a reference nor a readable archive of an image for this platform.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        if text.is_empty() {
            let why = "the value is empty; name an image, or omit the flag for the stand-in or the chart's own image";
            return Err(exit::usage(format!("--image: {why}")));
        }
        if looks_like_a_file(text) {
            return check(Path::new(text)).map(Self::Archive);
        }
        let reference: Reference = text.parse().map_err(|error| exit::usage(format!("--image {text}: {error}")))?;
        if reference.digest.is_some() {
            let hint = "a chart sets repository and tag; add a tag, or pass an archive";
            return Err(exit::usage(format!("--image {text}: {hint}")));
        }
        Ok(Self::Reference(reference))
    }
}

/// Returns whether the value is meant to be a file.
fn looks_like_a_file(text: &str) -> bool {
    let path = Path::new(text);
    let archive = [".tar", ".tar.gz", ".tgz"].iter().any(|ending| text.ends_with(ending));
    archive || text.starts_with(['.', '/', '~']) || path.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(image: &str) -> String {
        let error = UnderTest::parse(image).unwrap_err();
        assert_eq!(exit::of(&error), exit::Exit::Usage);
        error.to_string()
    }

    #[test]
    fn a_reference_is_parsed() {
        let reference = "caesiumcloud/caesium:dev".parse().unwrap();
        assert_eq!(UnderTest::parse("caesiumcloud/caesium:dev").unwrap(), UnderTest::Reference(reference));
    }

    #[test]
    fn anything_else_is_a_usage_error() {
        assert!(message("Caesium:dev").starts_with("--image Caesium:dev: "));
        assert!(message("").starts_with("--image: the value is empty"), "the result of an unset variable");
        assert!(message("nosuch.tar").starts_with("nosuch.tar: "));
        assert!(message("/no/such").starts_with("/no/such: "));
        assert!(message(&format!("a@sha256:{}", "0".repeat(64))).contains("add a tag"));
    }
}
