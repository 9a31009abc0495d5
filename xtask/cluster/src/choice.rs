//! What `--cluster` asks for.

use std::fmt;
use std::str::FromStr;

/// The cluster that a person wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Choice {
    /// kind where Docker answers and has its images, else embedded; where `CI` is set, kind.
    #[default]
    Auto,
    /// Created by kind in Docker.
    Kind,
    /// Our own small Kubernetes.
    Embedded,
    /// An existing cluster by the name of its context.
    Context(String),
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "auto" => Ok(Self::Auto),
            None if text == "kind" => Ok(Self::Kind),
            None if text == "embedded" => Ok(Self::Embedded),
            Some(("context", name)) if !name.is_empty() => Ok(Self::Context(name.to_owned())),
            _ => Err("a cluster is one of auto, kind, embedded, context:NAME".to_owned()),
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Kind => f.write_str("kind"),
            Self::Embedded => f.write_str("embedded"),
            Self::Context(name) => write!(f, "context:{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_choices_can_be_written_and_read() {
        for text in ["auto", "kind", "embedded", "context:docker-desktop", "context:arn:aws:eks:x"] {
            assert_eq!(text.parse::<Choice>().unwrap().to_string(), text);
        }
        for text in ["", "k3s", "context", "context:", "kind:x"] {
            assert!(text.parse::<Choice>().is_err(), "{text}");
        }
    }
}
