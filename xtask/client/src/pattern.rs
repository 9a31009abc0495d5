//! Regular expressions in a suite file.

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

/// The most memory that a compiled pattern may take, in bytes.
const BYTES_MAX: usize = 1 << 20;

/// A regular expression, which is searched in an output. `^` and `$` match at every line, which may end in `\r\n`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern(Regex);

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let built = RegexBuilder::new(&text).multi_line(true).crlf(true).size_limit(BYTES_MAX).build();
        built.map(Self).map_err(|error| {
            // The library draws a picture, whose last line has the reason.
            let error = error.to_string();
            let why = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
            let fix = "write \\ before a character that is meant literally, such as \\+ or \\(";
            format!("`{text}` is not a regular expression: {why}; {fix}")
        })
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.0.as_str().to_owned()
    }
}

impl Pattern {
    /// Returns whether the text contains a match.
    pub fn is_in(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// Returns whether a match ends in the last line of the text.
    pub fn ends(&self, text: &str) -> bool {
        self.0.find_iter(text).any(|found| !text[found.end()..].contains('\n'))
    }

    /// Returns the first group of the first match.
    pub fn first_group(&self, text: &str) -> Option<String> {
        Some(self.0.captures(text)?.get(1)?.as_str().to_owned())
    }

    /// Returns every match: its first group, or all of it if the pattern has none.
    pub fn all(&self, text: &str) -> Vec<String> {
        let found = self.0.captures_iter(text).filter_map(|captures| captures.get(1).or(captures.get(0)));
        found.map(|found| found.as_str().to_owned()).collect()
    }

    /// Returns whether it has a group.
    pub fn has_group(&self) -> bool {
        self.0.captures_len() > 1
    }

    /// Returns the pattern as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn lines_may_end_as_in_network_protocols() {
        assert_eq!(pattern("^leader: (.*)$").first_group("me: a\r\nleader: b\r\n").as_deref(), Some("b"));
        assert_eq!(pattern(r"^(\S+) up$").all("a up\r\nb down\r\nc up"), ["a", "c"]);
        assert_eq!(pattern("^.*up$").all("a up\nb down"), ["a up"]);
    }

    #[test]
    fn a_response_ends_in_the_line_of_the_match() {
        assert!(pattern("^END").ends("VALUE k 0 1\r\nv\r\nEND"));
        assert!(!pattern(r"^\+OK").ends("+OK\r\n+OK\r\n-ERR"), "more arrived than was expected");
        assert!(pattern(r"^\+OK").ends("INFO\r\n+OK"));
    }

    #[test]
    fn a_pattern_that_does_not_compile_is_reported_with_the_fix() {
        let error = Pattern::try_from("+OK".to_owned()).unwrap_err();
        let why = "`+OK` is not a regular expression: repetition operator missing expression; ";
        assert_eq!(error, format!("{why}write \\ before a character that is meant literally, such as \\+ or \\("));
        let huge = "x{1000}{1000}{1000}".to_owned();
        assert!(Pattern::try_from(huge).is_err(), "its memory is limited");
    }
}
