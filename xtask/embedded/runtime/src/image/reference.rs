//! Image references: `busybox`, `docker.io/library/busybox:1.36.1`, `name@sha256:…`.

use std::fmt;

use crate::spec::RuntimeError;

const DEFAULT_REGISTRY: &str = "docker.io";
const NAME_BYTES_MAX: usize = 255;
const TAG_BYTES_MAX: usize = 128;

/// A reference in full, as containerd writes it: with registry, and with a tag or a digest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// `docker.io/library/busybox`.
    pub repository: String,
    /// `1.36.1`; none where a digest stands.
    pub tag: Option<String>,
    /// `sha256:…`; it outweighs a tag.
    pub digest: Option<String>,
}

impl Reference {
    /// Reads a reference as written in a pod's spec.
    pub fn parse(text: &str) -> Result<Self, RuntimeError> {
        let wrong = |why: String| RuntimeError::InvalidReference { reference: text.into(), why };
        let invalid = || wrong("invalid reference format".into());
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) if is_digest(digest) => (rest, Some(digest.to_owned())),
            Some(_) => return Err(invalid()),
            None => (text, None),
        };
        let last_slash = rest.rfind('/').map_or(0, |at| at + 1);
        let (name, tag) = match rest[last_slash..].find(':') {
            Some(colon) => (&rest[..last_slash + colon], Some(&rest[last_slash + colon + 1..])),
            None => (rest, None),
        };
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(invalid());
        }
        let (registry, path) = split_registry(name);
        if path.chars().any(|character| character.is_ascii_uppercase()) {
            return Err(wrong(format!("invalid reference format: repository name ({path}) must be lowercase")));
        }
        if !is_registry(&registry) || !path.split('/').all(is_component) || registry.len() + path.len() > NAME_BYTES_MAX
        {
            return Err(invalid());
        }
        let tag = match (&digest, tag) {
            (Some(_), _) => None,
            (None, tag) => Some(tag.unwrap_or("latest").to_owned()),
        };
        Ok(Self { repository: format!("{registry}/{path}"), tag, digest })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repository)?;
        match (&self.digest, &self.tag) {
            (Some(digest), _) => write!(f, "@{digest}"),
            (None, Some(tag)) => write!(f, ":{tag}"),
            (None, None) => Ok(()),
        }
    }
}

/// The registry and the path in it; Docker Hub's where none is named.
fn split_registry(name: &str) -> (String, String) {
    let (registry, path) = match name.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (first, rest.to_owned()),
        _ => (DEFAULT_REGISTRY, name.to_owned()),
    };
    let registry = if registry == "index.docker.io" { DEFAULT_REGISTRY } else { registry };
    let official = registry == DEFAULT_REGISTRY && !path.contains('/');
    (registry.into(), if official { format!("library/{path}") } else { path })
}

fn is_registry(registry: &str) -> bool {
    let (host, port) = registry.split_once(':').unwrap_or((registry, "0"));
    let labels = |label: &str| {
        !label.is_empty()
            && label.chars().all(|character| character.is_ascii_alphanumeric() || character == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.split('.').all(labels) && !port.is_empty() && port.chars().all(|character| character.is_ascii_digit())
}

/// Lower-case letters and digits, with `.`, `_`, `__` or any number of `-` between them.
fn is_component(component: &str) -> bool {
    let is_inner = |character: char| matches!(character, '.' | '_' | '-');
    let allowed = component
        .chars()
        .all(|character| character.is_ascii_lowercase() || character.is_ascii_digit() || is_inner(character));
    let separators_fit = component
        .split(|character: char| character.is_ascii_lowercase() || character.is_ascii_digit())
        .all(|separator| {
            matches!(separator, "" | "." | "_" | "__") || separator.chars().all(|character| character == '-')
        });
    !component.is_empty()
        && allowed
        && separators_fit
        && !component.starts_with(is_inner)
        && !component.ends_with(is_inner)
}

fn is_tag(tag: &str) -> bool {
    let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
    tag.starts_with(is_word)
        && tag.len() <= TAG_BYTES_MAX
        && tag.chars().all(|character| is_word(character) || matches!(character, '.' | '-'))
}

/// `sha256:` and 64 hexadecimal digits.
pub fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64 && hex.chars().all(|character| character.is_ascii_digit() || matches!(character, 'a'..='f'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn references_are_completed() {
        let cases = [
            ("busybox", "docker.io/library/busybox:latest"),
            ("busybox:1.36.1", "docker.io/library/busybox:1.36.1"),
            ("library/busybox:1.36.1", "docker.io/library/busybox:1.36.1"),
            ("docker.io/busybox", "docker.io/library/busybox:latest"),
            ("index.docker.io/curlimages/curl:8.12.1", "docker.io/curlimages/curl:8.12.1"),
            ("localhost/app", "localhost/app:latest"),
            ("localhost:5000/app:v1", "localhost:5000/app:v1"),
            ("registry.example.com/team/app", "registry.example.com/team/app:latest"),
            ("a__b/c--d.e:T", "docker.io/a__b/c--d.e:T"),
        ];
        for (written, full) in cases {
            assert_eq!(Reference::parse(written).unwrap().to_string(), full, "{written}");
        }
    }

    #[test]
    fn a_digest_outweighs_a_tag() {
        let reference = Reference::parse(&format!("busybox:1.36.1@{DIGEST}")).unwrap();
        assert_eq!(reference.to_string(), format!("docker.io/library/busybox@{DIGEST}"));
    }

    #[test]
    fn what_is_no_reference_is_refused_in_the_parsers_words() {
        for wrong in
            ["", "a b", "app:", "app:.x", "/app", "app//x", "app@sha256:12", "-app", "app..x", "a___b", "x/app-"]
        {
            let error = Reference::parse(wrong).unwrap_err().to_string();
            assert_eq!(error, format!("failed to parse image reference {wrong:?}: invalid reference format"));
        }
        let error = Reference::parse("Busybox").unwrap_err().to_string();
        assert!(error.ends_with("repository name (library/Busybox) must be lowercase"), "{error}");
    }
}
