//! Checks `junit.xml` against docs/junit.schema.toml, and its counts and times against each other.

use std::collections::BTreeMap;

use quick_xml::events::Event as Xml;
use quick_xml::reader::Reader;
use serde::Deserialize;

#[derive(Deserialize)]
struct Schema {
    root: String,
    element: BTreeMap<String, Rule>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Rule {
    children: Vec<String>,
    one_of: Vec<String>,
    text: bool,
    must: BTreeMap<String, Kind>,
    may: BTreeMap<String, Kind>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Text,
    Count,
    Seconds,
}

impl Kind {
    fn takes(self, value: &str) -> bool {
        match self {
            Self::Text => true,
            Self::Count => value.parse::<u32>().is_ok(),
            Self::Seconds => value.contains('.') && value.parse::<f64>().is_ok_and(|seconds| seconds >= 0.0),
        }
    }
}

/// A parsed element.
#[derive(Debug, Default)]
pub struct Element {
    pub name: String,
    pub attributes: BTreeMap<String, String>,
    pub text: String,
    pub children: Vec<Element>,
}

/// Parses and checks a file's content; returns its root, or what is wrong.
pub fn check(xml: &str) -> Result<Element, String> {
    let schema: Schema = toml::from_str(include_str!("../../docs/junit.schema.toml")).unwrap();
    let root = read(xml)?;
    if root.name != schema.root {
        return Err(format!("{} is not a valid root", root.name));
    }
    valid(&schema, &root)?;
    root.children.iter().try_for_each(adds_up)?;
    Ok(root)
}

fn valid(schema: &Schema, element: &Element) -> Result<(), String> {
    let name = &element.name;
    let rule = schema.element.get(name).ok_or_else(|| format!("{name} is not an element of JUnit"))?;
    if let Some(lacking) = rule.must.keys().find(|attribute| !element.attributes.contains_key(*attribute)) {
        return Err(format!("{name} has no {lacking}"));
    }
    for (attribute, value) in &element.attributes {
        let kind = rule.must.get(attribute).or_else(|| rule.may.get(attribute));
        let kind = kind.ok_or_else(|| format!("{name} has no attribute {attribute}"))?;
        if !kind.takes(value) {
            return Err(format!("{name} {attribute}={value:?} is not a valid {kind:?}"));
        }
    }
    if !rule.text && !element.text.trim().is_empty() {
        return Err(format!("{name} must contain no text, but contains {:?}", element.text));
    }
    let count = |name: &str| element.children.iter().filter(|child| child.name == name).count();
    for child in &element.children {
        let allowed = |rule: &&String| rule.trim_end_matches(['?', '*']) == child.name;
        let Some(times) = rule.children.iter().find(allowed) else { return Err(format!("{} in {name}", child.name)) };
        if times.ends_with('?') && count(&child.name) > 1 {
            return Err(format!("more than one {} in {name}", child.name));
        }
        valid(schema, child)?;
    }
    if rule.one_of.iter().map(|name| count(name)).sum::<usize>() > 1 {
        return Err(format!("{name} has more than one of {:?}", rule.one_of));
    }
    Ok(())
}

/// Checks that a suite's counts and time are those of its cases.
fn adds_up(suite: &Element) -> Result<(), String> {
    let cases = || suite.children.iter().filter(|child| child.name == "testcase");
    let with = |what: &str| cases().filter(|case| case.children.iter().any(|child| child.name == what)).count();
    let counts = [("tests", cases().count()), ("failures", with("failure")), ("errors", with("error"))];
    for (attribute, count) in counts.into_iter().chain([("skipped", with("skipped"))]) {
        let told = suite.attributes.get(attribute).map_or("0", String::as_str);
        if told != count.to_string() {
            return Err(format!("{:?} has {attribute}={told}, but contains {count}", suite.attributes));
        }
    }
    let seconds = |element: &Element| element.attributes["time"].parse::<f64>().unwrap_or_default();
    let sum: f64 = cases().map(seconds).sum();
    let apart = (sum - seconds(suite)).abs();
    if apart < 0.01 { Ok(()) } else { Err(format!("{:?}: its cases take {sum} s", suite.attributes)) }
}

fn read(xml: &str) -> Result<Element, String> {
    let mut reader = Reader::from_str(xml);
    let mut open = vec![Element::default()];
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Xml::Start(tag) => open.push(element(&tag)?),
            Xml::Empty(tag) => {
                let element = element(&tag)?;
                open.last_mut().ok_or("nothing is open")?.children.push(element);
            }
            Xml::End(_) => {
                let closed = open.pop().ok_or("nothing is open")?;
                open.last_mut().ok_or("more is closed than was open")?.children.push(closed);
            }
            Xml::Text(text) => {
                let text = text.decode().map_err(|error| error.to_string())?;
                open.last_mut().ok_or("nothing is open")?.text.push_str(&text);
            }
            Xml::Eof => break,
            _ => {}
        }
    }
    let mut document = open.pop().filter(|_| open.is_empty()).ok_or("not every element is closed")?;
    document.children.pop().ok_or_else(|| "there is no element".to_owned())
}

fn element(tag: &quick_xml::events::BytesStart<'_>) -> Result<Element, String> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map_err(|error| error.to_string());
    let mut element = Element { name: text(tag.name().as_ref())?, ..Element::default() };
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        element.attributes.insert(text(attribute.key.as_ref())?, text(&attribute.value)?);
    }
    Ok(element)
}
