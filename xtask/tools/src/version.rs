//! Versions of tools, and which versions are supported.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

use super::Name;

/// A version without suffixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Version {
    /// Incompatible changes.
    pub major: u32,
    /// New features.
    pub minor: u32,
    /// Bug fixes.
    pub patch: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.trim_start_matches('v').splitn(3, '.').map(|part| {
            let digits = part.find(|c: char| !c.is_ascii_digit()).map_or(part, |end| &part[..end]);
            digits.parse::<u32>().ok()
        });
        match numbers.collect::<Option<Vec<_>>>().as_deref() {
            Some([major, minor, patch]) => Ok(Self { major: *major, minor: *minor, patch: *patch }),
            _ => Err(format!("{text:?} is not a version such as v1.2.3")),
        }
    }
}

impl TryFrom<String> for Version {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// Returns the first version in a tool's output: `kind v0.32.0 go1.27.2 linux/amd64`, `v4.1.4+g05fa379`,
/// `"gitVersion": "v1.34.5-eks"`.
pub fn find(output: &str) -> Option<Version> {
    output.split(|c: char| c.is_whitespace() || c == '"').find_map(|word| word.parse().ok())
}

/// A range of supported versions, for messages and as a check.
pub struct Range {
    /// `3.14 or newer`.
    pub words: &'static str,
    least: (u32, u32),
    below: u32,
}

impl Range {
    /// Returns whether a version is in the range.
    pub fn has(&self, version: Version) -> bool {
        (version.major, version.minor) >= self.least && version.major < self.below
    }
}

/// Returns the supported versions of a tool.
pub fn accepted(name: Name) -> Range {
    match name {
        // The pinned node image was published with this version: an older kind may not know its layout.
        Name::Kind => Range { words: "0.33 or newer", least: (0, 33), below: 1 },
        // 3.14 is the first version with all flags in use; `--take-ownership` and other newer ones are not used.
        Name::Helm => Range { words: "3.14 or newer, or 4", least: (3, 14), below: 5 },
        // kubectl supports servers within one minor version of its own; the clusters created here run 1.36.
        Name::Kubectl => Range { words: "1.35 or newer", least: (1, 35), below: 2 },
        Name::Docker => Range { words: "20.10 or newer", least: (20, 10), below: u32::MAX },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(output: &str) -> String {
        find(output).map_or_else(|| "none".to_owned(), |version| version.to_string())
    }

    #[test]
    fn versions_are_found_in_the_output_of_tools() {
        assert_eq!(found("kind v0.33.0 go1.27.2 linux/amd64\n"), "0.33.0");
        assert_eq!(found("v4.1.4+g05fa379\n"), "4.1.4");
        assert_eq!(found("{\"clientVersion\": {\"gitVersion\": \"v1.32.4-dispatcher\"}}"), "1.32.4");
        assert_eq!(found("Docker version 28.2.2, build e6534b4"), "28.2.2");
        assert_eq!(found("WARNING: something\nv3.17.3+ge4da497"), "3.17.3");
        assert_eq!(found("command not found"), "none");
        assert_eq!(found("1.2"), "none");
    }

    #[test]
    fn ranges_contain_the_supported_versions() {
        let fits = |name, version: &str| accepted(name).has(version.parse().unwrap());
        assert!(fits(Name::Helm, "3.14.0") && fits(Name::Helm, "4.3.1"));
        assert!(!fits(Name::Helm, "3.13.3") && !fits(Name::Helm, "5.0.0"));
        assert!(fits(Name::Kind, "0.33.0") && !fits(Name::Kind, "0.32.0"));
        assert!(fits(Name::Kubectl, "1.36.2") && !fits(Name::Kubectl, "1.34.5"));
    }
}
