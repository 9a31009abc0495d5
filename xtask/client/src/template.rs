//! Texts with placeholders: `${key}`, `${value}`, `${id}`, `${host}`, `${unique}`, each also as `${key|base64}` and
//! `${key|length}`, and `${secret:NAME/KEY}`.

use std::borrow::Cow;
use std::collections::BTreeMap;

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
    Hole { name: Name, filter: Filter },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    Key,
    Value,
    Id,
    Host,
    Unique,
    Secret(SecretKey),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filter {
    None,
    Base64,
    /// The number of bytes.
    Length,
}

/// A key of a Secret, in the namespace of the release under test.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SecretKey {
    /// The Secret.
    pub name: String,
    /// The key of its data.
    pub key: String,
}

/// The values of the Secrets that requests contain, by `NAME/KEY`.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Secrets(BTreeMap<String, String>);

/// The values of the placeholders. An unknown value is empty.
#[derive(Clone, Copy, Default)]
pub struct Fill<'a> {
    /// The key that the client chose.
    pub key: &'a str,
    /// The value that the client chose.
    pub value: &'a str,
    /// The ID that the application assigned.
    pub id: &'a str,
    /// The host of the application, as a command sees it.
    pub host: &'a str,
    /// A text that no other request has.
    pub unique: &'a str,
    /// The values of Secrets.
    pub secrets: Option<&'a Secrets>,
}

impl Secrets {
    /// Adds a value.
    pub fn insert(&mut self, key: &SecretKey, value: String) {
        self.0.insert(key.path(), value);
    }
}

impl SecretKey {
    fn path(&self) -> String {
        format!("{}/{}", self.name, self.key)
    }
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
        "host" => Name::Host,
        "unique" => Name::Unique,
        _ => parse_secret(name).ok_or_else(|| {
            let known = "${key}, ${value}, ${id}, ${host}, ${unique} or ${secret:NAME/KEY}";
            format!("`${{{text}}}` is unknown: expected {known}")
        })?,
    };
    let filter = match filter {
        "" => Filter::None,
        "base64" => Filter::Base64,
        "length" => Filter::Length,
        _ => return Err(format!("`${{{text}}}`: the filters are `base64` and `length`")),
    };
    Ok(Part::Hole { name, filter })
}

fn parse_secret(name: &str) -> Option<Name> {
    let (name, key) = name.strip_prefix("secret:")?.split_once('/')?;
    let is_named = !name.is_empty() && !key.is_empty();
    is_named.then(|| Name::Secret(SecretKey { name: name.to_owned(), key: key.to_owned() }))
}

impl Template {
    /// Returns the text with its placeholders replaced.
    pub fn fill(&self, fill: Fill<'_>) -> String {
        self.parts.iter().map(|part| part.fill(fill)).collect()
    }

    /// Returns the text for messages: Secrets are not filled in.
    pub fn shown(&self, fill: Fill<'_>) -> String {
        let part = |part: &Part| match part {
            Part::Hole { name: Name::Secret(key), .. } => format!("${{secret:{}}}", key.path()),
            other => other.fill(fill),
        };
        self.parts.iter().map(part).collect()
    }

    /// Returns whether the text contains the ID.
    pub fn needs_id(&self) -> bool {
        self.names().any(|name| *name == Name::Id)
    }

    /// Returns whether the text contains the host.
    pub fn needs_host(&self) -> bool {
        self.names().any(|name| *name == Name::Host)
    }

    /// Returns the keys of Secrets in the text.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretKey> {
        self.names().filter_map(|name| if let Name::Secret(key) = name { Some(key) } else { None })
    }

    fn names(&self) -> impl Iterator<Item = &Name> {
        self.parts.iter().filter_map(|part| if let Part::Hole { name, .. } = part { Some(name) } else { None })
    }
}

impl Part {
    fn fill(&self, fill: Fill<'_>) -> String {
        let (name, filter) = match self {
            Self::Text(text) => return text.clone(),
            Self::Hole { name, filter } => (name, filter),
        };
        let text = match name {
            Name::Key => Cow::Borrowed(fill.key),
            Name::Value => fill.value.into(),
            Name::Id => fill.id.into(),
            Name::Host => fill.host.into(),
            Name::Unique => fill.unique.into(),
            Name::Secret(key) => {
                let value = fill.secrets.and_then(|secrets| secrets.0.get(&key.path()));
                value.map(String::as_str).unwrap_or_default().into()
            }
        };
        match filter {
            Filter::None => text.into_owned(),
            Filter::Base64 => STANDARD.encode(&*text),
            Filter::Length => text.len().to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> Result<Template, String> {
        Template::try_from(text.to_owned())
    }

    #[test]
    fn placeholders_are_replaced_also_as_base64() {
        let template = template("/a/${id}?k=${key|base64}&v=${value}$").unwrap();
        let filled = template.fill(Fill { key: "kk", value: "vv", id: "7", ..Fill::default() });
        assert_eq!(filled, "/a/7?k=a2s=&v=vv$");
        assert!(template.needs_id());
    }

    #[test]
    fn the_length_of_a_text_is_that_of_its_bytes() {
        let filled = template("PUB r.${key} ${value|length}\r\n${value}\r\n").unwrap();
        assert_eq!(filled.fill(Fill { key: "k", value: "né", ..Fill::default() }), "PUB r.k 3\r\nné\r\n");
    }

    #[test]
    fn a_secret_is_filled_in_but_never_shown() {
        let template = template("-a ${secret:redis/password} -h ${host}").unwrap();
        let mut secrets = Secrets::default();
        template.secrets().for_each(|key| secrets.insert(key, "hunter${2}".to_owned()));
        let fill = Fill { host: "redis", secrets: Some(&secrets), ..Fill::default() };
        assert_eq!(template.fill(fill), "-a hunter${2} -h redis");
        assert_eq!(template.shown(fill), "-a ${secret:redis/password} -h redis");
    }

    #[test]
    fn a_wrong_placeholder_is_reported_with_the_valid_ones() {
        let known = "expected ${key}, ${value}, ${id}, ${host}, ${unique} or ${secret:NAME/KEY}";
        for unknown in ["${name}", "${secret:db}", "${secret:/key}"] {
            assert_eq!(template(unknown).unwrap_err(), format!("`{unknown}` is unknown: {known}"));
        }
        assert_eq!(template("${id").unwrap_err(), "`${id` is not closed: add a `}`");
        assert_eq!(template("${id|hex}").unwrap_err(), "`${id|hex}`: the filters are `base64` and `length`");
    }
}
