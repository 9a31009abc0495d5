//! Image references: `busybox:1.36.1` is `docker.io/library/busybox:1.36.1`.

use std::fmt;
use std::str::FromStr;

const DOCKER_HUB: &str = "docker.io";
const DOCKER_HUB_OF_OLD: &str = "index.docker.io";
const NAME_BYTES_MAX: usize = 255;
const TAG_BYTES_MAX: usize = 128;

/// A parsed reference, with the defaults that Docker fills in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// `docker.io`, `localhost:5000`.
    pub registry: String,
    /// `library/busybox`.
    pub repository: String,
    /// `latest` if neither tag nor digest was given.
    pub tag: Option<String>,
    /// `sha256:…`.
    pub digest: Option<String>,
}

/// Why a text is not an image reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Invalid {
    /// The registry is not a host with an optional port.
    Registry(String),
    /// A part of the name is empty.
    EmptyPart,
    /// The repository contains upper-case letters.
    UpperCase {
        /// `library/Busybox`.
        repository: String,
    },
    /// This part of the name contains invalid characters.
    Part(String),
    /// The length of registry and repository together, in bytes.
    TooLong(usize),
    /// The tag.
    Tag(String),
    /// The digest.
    Digest(String),
}

impl std::error::Error for Invalid {}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: &str = "only lower-case letters, digits and . _ - between them";
        match self {
            Self::Registry(registry) => write!(f, "{registry:?} is not a registry: expected HOST or HOST:PORT"),
            Self::EmptyPart => {
                f.write_str("a part of the name is empty; expected a name such as caesiumcloud/caesium:dev")
            }
            Self::UpperCase { repository: part } | Self::Part(part) => {
                write!(f, "{part:?} is not a valid image name: {NAMES}")
            }
            Self::TooLong(bytes) => write!(f, "the name has {bytes} bytes; at most {NAME_BYTES_MAX} are allowed"),
            Self::Tag(tag) => {
                write!(
                    f,
                    "{tag:?} is not a tag: up to {TAG_BYTES_MAX} letters, digits and . _ -, not starting with . or -"
                )
            }
            Self::Digest(digest) => write!(f, "{digest:?} is not a digest: expected sha256: and 64 hexadecimal digits"),
        }
    }
}

impl Reference {
    /// Returns the full reference: with registry, `library/` for Docker's own images, tag and digest.
    pub fn canonical(&self) -> String {
        format!("{}{}", self.full_repository(), self.suffix())
    }

    /// Returns the name by which a node looks up the image, as containerd does: a digest takes precedence over a tag.
    pub fn lookup_name(&self) -> String {
        match &self.digest {
            Some(digest) => format!("{}@{digest}", self.full_repository()),
            None => self.canonical(),
        }
    }

    /// Returns registry and repository: `docker.io/library/busybox`.
    pub fn full_repository(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// Returns the repository as a chart takes it: `caesiumcloud/caesium`, `localhost:5000/caesium`.
    pub fn name(&self) -> String {
        if self.registry != DOCKER_HUB {
            return self.full_repository();
        }
        self.repository.strip_prefix("library/").unwrap_or(&self.repository).to_owned()
    }

    fn suffix(&self) -> String {
        let tag = self.tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
        let digest = self.digest.as_ref().map(|digest| format!("@{digest}")).unwrap_or_default();
        tag + &digest
    }
}

impl fmt::Display for Reference {
    /// The short form that people write.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.name(), self.suffix())
    }
}

impl FromStr for Reference {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (rest, digest) = match text.split_once('@') {
            Some((_, digest)) if !is_digest(digest) => return Err(Invalid::Digest(digest.to_owned())),
            Some((rest, digest)) => (rest, Some(digest.to_owned())),
            None => (text, None),
        };
        let last = rest.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match rest[last..].split_once(':') {
            Some((_, tag)) if !is_tag(tag) => return Err(Invalid::Tag(tag.to_owned())),
            Some((part, tag)) => (&rest[..last + part.len()], Some(tag.to_owned())),
            None => (rest, None),
        };
        let (registry, repository) = split_registry(name);
        check_name(&registry, &repository)?;
        let tag = tag.or_else(|| digest.is_none().then(|| "latest".to_owned()));
        Ok(Self { registry, repository, tag, digest })
    }
}

/// Returns the registry and the repository in it; Docker Hub if no registry is named.
fn split_registry(name: &str) -> (String, String) {
    let (registry, path) = match name.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (first, rest),
        _ => (DOCKER_HUB, name),
    };
    let registry = if registry == DOCKER_HUB_OF_OLD { DOCKER_HUB } else { registry };
    let is_official = registry == DOCKER_HUB && !path.contains('/');
    (registry.to_owned(), if is_official { format!("library/{path}") } else { path.to_owned() })
}

fn check_name(registry: &str, repository: &str) -> Result<(), Invalid> {
    if repository.chars().any(|c| c.is_ascii_uppercase()) {
        return Err(Invalid::UpperCase { repository: repository.to_owned() });
    }
    if let Some(part) = repository.split('/').find(|part| !is_part(part)) {
        return Err(if part.is_empty() { Invalid::EmptyPart } else { Invalid::Part(part.to_owned()) });
    }
    if !is_registry(registry) {
        return Err(Invalid::Registry(registry.to_owned()));
    }
    let bytes = registry.len() + repository.len();
    if bytes > NAME_BYTES_MAX { Err(Invalid::TooLong(bytes)) } else { Ok(()) }
}

fn is_registry(registry: &str) -> bool {
    let (host, port) = registry.split_once(':').unwrap_or((registry, "0"));
    let is_label = |label: &str| {
        let allowed = label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        !label.is_empty() && allowed && !label.starts_with('-') && !label.ends_with('-')
    };
    host.split('.').all(is_label) && !port.is_empty() && port.chars().all(|c| c.is_ascii_digit())
}

/// Returns whether this is lower-case letters and digits, separated by `.`, `_`, `__` or any number of `-`.
fn is_part(part: &str) -> bool {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_separator =
        |text: &str| matches!(text, "" | "." | "_" | "__") || text.chars().all(|character| character == '-');
    part.starts_with(is_word) && part.ends_with(is_word) && part.split(is_word).all(is_separator)
}

fn is_tag(tag: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    tag.starts_with(is_word) && tag.len() <= TAG_BYTES_MAX && tag.chars().all(|c| is_word(c) || ".-".contains(c))
}

/// Returns whether this is `sha256:` followed by 64 hexadecimal digits.
pub fn is_digest(text: &str) -> bool {
    let hex = text.strip_prefix("sha256:").unwrap_or_default();
    hex.len() == 64 && hex.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c))
}

#[cfg(test)]
#[path = "reference_tests.rs"]
mod tests;
