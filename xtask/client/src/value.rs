//! Where values are in a response: at a JSON pointer, or in what a pattern matches.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::pattern::Pattern;

/// A JSON pointer (RFC 6901); the empty one is the whole document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Pointer(String);

/// A place in a response: `"/a/b"`, or `{ pattern = '…' }`.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Place {
    /// In JSON.
    Pointer(Pointer),
    /// In text.
    Pattern {
        /// The pattern.
        pattern: Pattern,
    },
}

/// The place of one value. A pattern's first group is the value.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "Place")]
pub struct ValueAt(Place);

/// The place of a list. Each match of a pattern is an item: its first group, if it has one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListAt(Place);

/// A response or an item of a list, in which values are found.
#[derive(Debug, Clone)]
pub enum Document {
    /// Text, which may be JSON.
    Text(String),
    /// JSON.
    Json(Value),
}

impl TryFrom<String> for Pointer {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.is_empty() || text.starts_with('/') {
            return Ok(Self(text));
        }
        Err(format!("a JSON pointer is empty or begins with a slash: write \"/{text}\""))
    }
}

impl Pointer {
    /// Returns the value to which it points as text: strings without quotes, other scalars as in JSON.
    fn text(&self, document: &Value) -> Option<String> {
        match document.pointer(&self.0)? {
            Value::String(text) => Some(text.clone()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
            scalar => Some(scalar.to_string()),
        }
    }
}

impl TryFrom<Place> for ValueAt {
    type Error = String;

    fn try_from(place: Place) -> Result<Self, Self::Error> {
        match &place {
            Place::Pattern { pattern } if !pattern.has_group() => {
                let pattern = pattern.as_str();
                Err(format!("`{pattern}` has no group: put what is the value in parentheses, as in `^value: (.*)$`"))
            }
            _ => Ok(Self(place)),
        }
    }
}

impl ValueAt {
    /// Returns the value as text; none if it is not there.
    ///
    /// # Errors
    /// If the document is not JSON but the place is a pointer.
    pub fn text(&self, document: &Document) -> Result<Option<String>, String> {
        match &self.0 {
            Place::Pointer(pointer) => document.json().map(|json| pointer.text(&json)),
            Place::Pattern { pattern } => Ok(pattern.first_group(&document.text())),
        }
    }

    /// Returns whether it is a pattern, which can't tell an empty response from one of another form.
    pub fn is_pattern(&self) -> bool {
        matches!(self.0, Place::Pattern { .. })
    }
}

impl fmt::Display for ValueAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ListAt {
    /// Returns the items.
    ///
    /// # Errors
    /// If there is no list at a pointer.
    pub fn items(&self, document: &Document) -> Result<Vec<Document>, String> {
        match &self.0 {
            Place::Pointer(pointer) => match document.json()?.pointer(&pointer.0).and_then(Value::as_array) {
                Some(items) => Ok(items.iter().cloned().map(Document::Json).collect()),
                None => Err(format!("the response has no list at {}", self.0)),
            },
            Place::Pattern { pattern } => Ok(pattern.all(&document.text()).into_iter().map(Document::Text).collect()),
        }
    }
}

impl Document {
    fn json(&self) -> Result<Cow<'_, Value>, String> {
        match self {
            Self::Json(value) => Ok(Cow::Borrowed(value)),
            Self::Text(text) => serde_json::from_str(text)
                .map(Cow::Owned)
                .map_err(|error| format!("{error} in the response {}", beginning(text))),
        }
    }

    fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) | Self::Json(Value::String(text)) => text.into(),
            Self::Json(value) => value.to_string().into(),
        }
    }
}

/// Returns the beginning of a text, for messages.
pub fn beginning(text: &str) -> String {
    let text = text.trim();
    text.char_indices().nth(200).map_or_else(|| text.to_owned(), |(end, _)| format!("{}…", &text[..end]))
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pointer(pointer) => write!(f, "{:?}", pointer.0),
            Self::Pattern { pattern } => write!(f, "`{}`", pattern.as_str()),
        }
    }
}

// By hand, because the error of an untagged enum would not say what is wrong.
impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Either)
    }
}

struct Either;

impl<'de> Visitor<'de> for Either {
    type Value = Place;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON pointer, or a table with `pattern`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Place, E> {
        Pointer::try_from(text.to_owned()).map(Place::Pointer).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Place, A::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            pattern: Pattern,
        }
        let Table { pattern } = Table::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Place::Pattern { pattern })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, String> {
        let table: toml::Table = toml::from_str(&format!("at = {text}")).unwrap();
        table["at"].clone().try_into().map_err(|error| error.message().to_owned())
    }

    fn text(text: &str) -> Document {
        Document::Text(text.to_owned())
    }

    #[test]
    fn a_value_is_at_a_pointer_or_in_a_pattern() {
        let at: ValueAt = place("'/a/0'").unwrap();
        assert_eq!(at.text(&text(r#"{"a":[7]}"#)), Ok(Some("7".to_owned())));
        assert_eq!(at.text(&text("{}")), Ok(None));
        assert!(at.text(&text("(error) LOADING")).is_err(), "it is not JSON");
        let at: ValueAt = place(r#"{ pattern = '^"(.*)"$' }"#).unwrap();
        assert_eq!(at.text(&text("\"seven\"")), Ok(Some("seven".to_owned())));
        assert_eq!(at.text(&text("(nil)")), Ok(None));
    }

    #[test]
    fn a_list_is_at_a_pointer_or_the_matches_of_a_pattern() {
        let names = |list: &str, name: &str, document: &str| {
            let (list, name): (ListAt, ValueAt) = (place(list).unwrap(), place(name).unwrap());
            let items = list.items(&text(document))?;
            items.iter().map(|item| name.text(item)).collect::<Result<Option<Vec<_>>, _>>()
        };
        let expected = Ok(Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(names("''", "'/name'", r#"[{"name":"a"},{"name":"b"}]"#), expected);
        assert_eq!(
            names("{ pattern = '^slave.*$' }", r"{ pattern = 'name=(\w)' }", "slave0:name=a\r\nslave1:name=b"),
            expected
        );
        assert_eq!(names("'/x'", "''", "{}").unwrap_err(), "the response has no list at \"/x\"");
    }

    #[test]
    fn a_wrong_place_is_corrected() {
        let error = place::<ValueAt>("'a'").unwrap_err();
        assert_eq!(error, "a JSON pointer is empty or begins with a slash: write \"/a\"");
        let error = place::<ValueAt>("{ pattern = '^OK$' }").unwrap_err();
        assert_eq!(error, "`^OK$` has no group: put what is the value in parentheses, as in `^value: (.*)$`");
        place::<ListAt>("{ pattern = '^OK$' }").unwrap();
        let error = place::<ValueAt>("{ pattern = '(x)', pointer = '/a' }").unwrap_err();
        assert_eq!(error, "unknown field `pointer`, expected `pattern`");
    }
}
