//! References of images: `busybox:1.36.1` is `docker.io/library/busybox:1.36.1`.

use std::fmt;
use std::str::FromStr;

/// A parsed reference, with the defaults that Docker fills in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// `docker.io`, `localhost:5000`.
    pub registry: String,
    /// `library/busybox`.
    pub repository: String,
    /// `latest` where neither tag nor digest was given.
    pub tag: Option<String>,
    /// `sha256:…`.
    pub digest: Option<String>,
}

const DOCKER_HUB: &str = "docker.io";

impl Reference {
    /// As containerd names it: with registry, and `library/` for Docker's own.
    pub fn canonical(&self) -> String {
        format!("{}/{}{}", self.registry, self.repository, self.suffix())
    }

    /// The repository as a chart takes it: `caesiumcloud/caesium`, `localhost:5000/caesium`.
    pub fn name(&self) -> String {
        if self.registry != DOCKER_HUB {
            return format!("{}/{}", self.registry, self.repository);
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
    /// As a person writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.name(), self.suffix())
    }
}

impl FromStr for Reference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(check_digest(digest)?)),
            None => (text, None),
        };
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(check_tag(tag)?)),
            _ => (rest, None),
        };
        let (registry, path) = match name.split_once('/') {
            Some((first, path)) if first.contains(['.', ':']) || first == "localhost" => (first, path.to_owned()),
            Some(_) => (DOCKER_HUB, name.to_owned()),
            None => (DOCKER_HUB, format!("library/{name}")),
        };
        check_path(&path)?;
        let tag = tag.or_else(|| digest.is_none().then(|| "latest".to_owned()));
        let registry = if registry == "index.docker.io" { DOCKER_HUB } else { registry };
        Ok(Self { registry: registry.to_owned(), repository: path, tag, digest })
    }
}

fn check_path(path: &str) -> Result<(), String> {
    let good = |part: &str| {
        let edges = part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part.ends_with(|c: char| c.is_ascii_alphanumeric());
        edges && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c))
    };
    match path.split('/').find(|part| !good(part)) {
        None => Ok(()),
        Some("") => Err("a part of its name is empty; an image is named such as caesiumcloud/caesium:dev".to_owned()),
        Some(part) => {
            Err(format!("{part:?} is no name of an image: only lower-case letters, digits and . _ - between them"))
        }
    }
}

fn check_tag(tag: &str) -> Result<String, String> {
    let good = tag.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    if tag.is_empty() || tag.len() > 128 || tag.starts_with(['.', '-']) || !good {
        return Err(format!("{tag:?} is no tag: up to 128 letters, digits and . _ -, no . or - first"));
    }
    Ok(tag.to_owned())
}

fn check_digest(digest: &str) -> Result<String, String> {
    let hex = digest.strip_prefix("sha256:").unwrap_or_default();
    if hex.len() != 64 || !hex.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c)) {
        return Err(format!("{digest:?} is no digest: sha256: and 64 hexadecimal digits"));
    }
    Ok(digest.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Reference, String> {
        text.parse()
    }

    #[test]
    fn defaults_are_dockers() {
        let canonical = |text: &str| parse(text).unwrap().canonical();
        assert_eq!(canonical("busybox"), "docker.io/library/busybox:latest");
        assert_eq!(canonical("busybox:1.36.1"), "docker.io/library/busybox:1.36.1");
        assert_eq!(canonical("caesiumcloud/caesium:dev"), "docker.io/caesiumcloud/caesium:dev");
        assert_eq!(canonical("localhost:5000/a/b"), "localhost:5000/a/b:latest");
        assert_eq!(canonical("localhost/a:1"), "localhost/a:1");
        let digest = format!("sha256:{}", "a".repeat(64));
        assert_eq!(canonical(&format!("kindest/node:v1@{digest}")), format!("docker.io/kindest/node:v1@{digest}"));
        assert_eq!(canonical(&format!("busybox@{digest}")), format!("docker.io/library/busybox@{digest}"));
    }

    #[test]
    fn a_person_sees_what_they_wrote() {
        for text in ["busybox:1.36.1", "caesiumcloud/caesium:dev", "localhost:5000/a/b:latest"] {
            assert_eq!(parse(text).unwrap().to_string(), text);
        }
        assert_eq!(parse("docker.io/library/busybox:1").unwrap().to_string(), "busybox:1");
    }

    #[test]
    fn malformed_references_say_what_is_wrong() {
        assert!(parse("Caesium").unwrap_err().contains("lower-case"));
        assert!(parse("a//b").unwrap_err().contains("empty"));
        assert!(parse("").unwrap_err().contains("empty"));
        assert!(parse("a:").unwrap_err().contains("no tag"));
        assert!(parse("a:b c").unwrap_err().contains("no tag"));
        assert!(parse("a@sha256:12").unwrap_err().contains("no digest"));
        assert!(parse("a_:1").unwrap_err().contains("no name"));
    }
}
