//! The value of `--cluster`.

use std::fmt;
use std::str::FromStr;

/// The requested cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Choice {
    /// kind if Docker is available and has its images, otherwise embedded; always kind if `CI` is set.
    #[default]
    Auto,
    /// Created by kind in Docker.
    Kind,
    /// The embedded cluster.
    Embedded,
    /// An existing cluster, by the name of its context.
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
            _ => Err("not a cluster; expected auto, kind, embedded or context:NAME".to_owned()),
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
