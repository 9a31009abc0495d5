//! Texts with placeholders: `${key}`, `${value}`, `${id}`, each also as `${key|base64}`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// A parsed text with placeholders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Template {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Hole { name: Name, base64: bool },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Key,
    Value,
    Id,
}

/// The values of the placeholders. An unknown value is empty.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fill<'a> {
    /// The key that the client chose.
    pub key: &'a str,
    /// The value that the client chose.
    pub value: &'a str,
    /// The ID that the application assigned.
    pub id: &'a str,
}

impl TryFrom<String> for Template {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut parts = Vec::new();
        let mut rest = text.as_str();
        while let Some(start) = rest.find("${") {
            let (before, hole) = rest.split_at(start);
            let end = hole.find('}').ok_or_else(|| format!("`{hole}` is not closed: add a `}}`"))?;
            parts.push(Part::Text(before.to_owned()));
            parts.push(parse_hole(&hole[2..end])?);
            rest = &hole[end + 1..];
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self { text, parts })
    }
}

impl From<Template> for String {
    fn from(template: Template) -> Self {
        template.text
    }
}

fn parse_hole(text: &str) -> Result<Part, String> {
    let (name, filter) = text.split_once('|').unwrap_or((text, ""));
    let name = match name {
        "key" => Name::Key,
        "value" => Name::Value,
        "id" => Name::Id,
        _ => return Err(format!("`${{{text}}}` is unknown: expected ${{key}}, ${{value}} or ${{id}}")),
    };
    match filter {
        "" | "base64" => Ok(Part::Hole { name, base64: filter == "base64" }),
        _ => Err(format!("`${{{text}}}`: the only filter is `base64`")),
    }
}

impl Template {
    /// Returns the text with its placeholders replaced.
    pub fn fill(&self, fill: Fill<'_>) -> String {
        self.parts.iter().map(|part| part.fill(fill)).collect()
    }

    /// Returns whether the text contains the ID.
    pub fn needs_id(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Hole { name: Name::Id, .. }))
    }
}

impl Part {
    fn fill(&self, fill: Fill<'_>) -> String {
        let (text, base64) = match self {
            Self::Text(text) => (text.as_str(), false),
            Self::Hole { name: Name::Key, base64 } => (fill.key, *base64),
            Self::Hole { name: Name::Value, base64 } => (fill.value, *base64),
            Self::Hole { name: Name::Id, base64 } => (fill.id, *base64),
        };
        if base64 { STANDARD.encode(text) } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_replaced_also_as_base64() {
        let template = Template::try_from("/a/${id}?k=${key|base64}&v=${value}$".to_owned()).unwrap();
        let filled = template.fill(Fill { key: "kk", value: "vv", id: "7" });
        assert_eq!(filled, "/a/7?k=a2s=&v=vv$");
        assert!(template.needs_id());
    }

    #[test]
    fn a_wrong_placeholder_is_reported_with_the_valid_ones() {
        let error = Template::try_from("${name}".to_owned()).unwrap_err();
        assert_eq!(error, "`${name}` is unknown: expected ${key}, ${value} or ${id}");
        assert_eq!(Template::try_from("${id".to_owned()).unwrap_err(), "`${id` is not closed: add a `}`");
        assert_eq!(Template::try_from("${id|hex}".to_owned()).unwrap_err(), "`${id|hex}`: the only filter is `base64`");
    }
}
