//! `labelSelector` and `fieldSelector` of a request.

use serde_json::Value;

use super::request::Request;
use crate::kinds::Kind;
use crate::registry::conversion;
use crate::selector::Operator;
use crate::status::Status;

/// The restriction of a list or a watch.
#[derive(Debug, Default)]
pub struct Selection {
    labels: Vec<Requirement>,
    fields: Vec<FieldRequirement>,
}

#[derive(Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    operator: Operator,
    values: Vec<String>,
}

#[derive(Debug)]
struct FieldRequirement {
    pointer: String,
    value: String,
    is_equal: bool,
}

impl Selection {
    /// Parses the label selector of a request, and this field selector.
    ///
    /// # Errors
    /// 400 with kube-apiserver's message.
    pub fn requested(request: &Request, fields: Option<&str>) -> Result<Self, Status> {
        let kind = request.target.kind;
        let custom = request.custom.as_ref().map(|version| version.selectable.iter().map(String::as_str).collect());
        let own: Option<Vec<&str>> = custom.or_else(|| built_in(kind));
        Self::parse(kind, own.as_deref(), request.parameter("labelSelector"), fields)
    }

    /// Parses both selectors for a kind, with the fields that are its own to select by.
    fn parse(kind: &Kind, own: Option<&[&str]>, labels: Option<&str>, fields: Option<&str>) -> Result<Self, Status> {
        let bad = |message: String| Status::new(400, "BadRequest", message);
        let fields = fields.unwrap_or_default().split(',').filter(|term| !term.is_empty());
        Ok(Self {
            labels: Parser::new(labels.unwrap_or_default()).requirements().map_err(bad)?,
            fields: fields.map(|term| field_requirement(kind, own, term)).collect::<Result<_, _>>().map_err(bad)?,
        })
    }

    /// Returns whether everything matches.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// Returns whether an object matches.
    pub fn matches(&self, object: &Value) -> bool {
        let labels = &object["metadata"]["labels"];
        let value = |key: &str| labels.get(key).and_then(Value::as_str);
        self.labels.iter().all(|one| one.operator.holds(value(&one.key), &one.values))
            && self.fields.iter().all(|requirement| requirement.holds(object))
    }
}

impl FieldRequirement {
    fn holds(&self, object: &Value) -> bool {
        let found = object.pointer(&self.pointer);
        let text = match found {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        // `spec.unschedulable=false` also matches if the field is missing.
        let is_default = text.is_empty() && self.pointer == "/spec/unschedulable" && self.value == "false";
        (text == self.value || is_default) == self.is_equal
    }
}

/// The tokens of a label selector.
struct Parser {
    tokens: Vec<String>,
    at: usize,
}

impl Parser {
    fn new(text: &str) -> Self {
        let mut tokens = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let symbols = ["==", "!=", "=", "!", ",", "(", ")", ">", "<"];
            if first.is_whitespace() {
                rest = &rest[first.len_utf8()..];
                continue;
            }
            let length = match symbols.iter().find(|symbol| rest.starts_with(**symbol)) {
                Some(symbol) => symbol.len(),
                None => rest.find(|c: char| c.is_whitespace() || "=!,()<>".contains(c)).unwrap_or(rest.len()),
            };
            tokens.push(rest[..length].to_owned());
            rest = &rest[length..];
        }
        Self { tokens, at: 0 }
    }

    fn peek(&self) -> &str {
        self.tokens.get(self.at).map_or("", String::as_str)
    }

    fn next(&mut self) -> String {
        let token = self.peek().to_owned();
        self.at += 1;
        token
    }

    fn requirements(mut self) -> Result<Vec<Requirement>, String> {
        let mut requirements = Vec::new();
        while self.at < self.tokens.len() {
            requirements.push(self.requirement().map_err(|why| format!("unable to parse requirement: {why}"))?);
            match self.next().as_str() {
                "," if self.peek().is_empty() => return Err("found '', expected: identifier after ','".to_owned()),
                "" | "," => {}
                other => return Err(format!("found '{other}', expected: ',' or 'end of string'")),
            }
        }
        Ok(requirements)
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let is_negated = self.peek() == "!";
        if is_negated {
            self.at += 1;
        }
        let key = self.next();
        if key.is_empty() || "=!,()<>".contains(&key[..1]) {
            return Err(format!("found '{key}', expected: identifier"));
        }
        let bare = |operator| Ok(Requirement { key: key.clone(), operator, values: Vec::new() });
        if is_negated {
            return bare(Operator::DoesNotExist);
        }
        if matches!(self.peek(), "" | ",") {
            return bare(Operator::Exists);
        }
        let word = self.next();
        let (operator, values) = match word.as_str() {
            "=" | "==" => (Operator::In, vec![self.value()]),
            "!=" => (Operator::NotIn, vec![self.value()]),
            ">" | "gt" => (Operator::Gt, vec![self.value()]),
            "<" | "lt" => (Operator::Lt, vec![self.value()]),
            "in" => (Operator::In, self.values()?),
            "notin" => (Operator::NotIn, self.values()?),
            other => return Err(format!("found '{other}', expected: in, notin, =, ==, !=, gt, lt")),
        };
        Ok(Requirement { key, operator, values })
    }

    /// Reads a value, which may be empty: `a=` or `a=,b`.
    fn value(&mut self) -> String {
        if matches!(self.peek(), "" | ",") { String::new() } else { self.next() }
    }

    fn values(&mut self) -> Result<Vec<String>, String> {
        let open = self.next();
        if open != "(" {
            return Err(format!("found '{open}', expected: '('"));
        }
        let mut values = Vec::new();
        loop {
            match self.next().as_str() {
                ")" => return Ok(values),
                "," => {}
                "" => return Err("found '', expected: ',', or ')'".to_owned()),
                value => values.push(value.to_owned()),
            }
        }
    }
}

/// The fields that can be selected besides name and namespace.
const SELECTABLE: &[(&str, &[&str])] = &[
    (
        "Pod",
        &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
    ),
    (
        "Event",
        &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
    ),
    ("Secret", &["type"]),
    ("Namespace", &["status.phase"]),
    ("Node", &["spec.unschedulable"]),
    ("Service", &["spec.clusterIP", "spec.type"]),
    ("ReplicaSet", &["status.replicas"]),
    ("Job", &["status.successful"]),
];

/// Returns the fields that are a built-in kind's own to select by.
fn built_in(kind: &Kind) -> Option<Vec<&'static str>> {
    SELECTABLE.iter().find(|(name, _)| *name == kind.built_in()).map(|(_, fields)| fields.to_vec())
}

fn field_requirement(kind: &Kind, own: Option<&[&str]>, term: &str) -> Result<FieldRequirement, String> {
    let split = |separator: &str| term.split_once(separator);
    let (field, value, is_equal) = match (split("!="), split("=="), split("=")) {
        (Some((field, value)), _, _) => (field, value, false),
        (None, Some((field, value)), _) | (None, None, Some((field, value))) => (field, value, true),
        _ => return Err(format!("invalid field selector: invalid selector: '{term}'; can't understand '{term}'")),
    };
    let stored = conversion::stored_field(kind, field);
    let field = stored.as_str();
    let is_common = field == "metadata.name" || (field == "metadata.namespace" && kind.namespaced);
    if !is_common && !own.is_some_and(|fields| fields.contains(&field)) {
        return Err(match own {
            Some(_) => format!("field label not supported: {field}"),
            None => {
                format!("\"{field}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"")
            }
        });
    }
    let pointer = match field {
        "source" => "/source/component".to_owned(),
        "status.successful" => "/status/succeeded".to_owned(),
        field => format!("/{}", field.replace('.', "/")),
    };
    Ok(FieldRequirement { pointer, value: value.to_owned(), is_equal })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds;

    fn pods(labels: &str, fields: &str) -> Result<Selection, String> {
        let kind = kinds::find("", "v1", "pods").unwrap();
        Selection::parse(kind, built_in(kind).as_deref(), Some(labels), Some(fields)).map_err(|status| status.message)
    }

    #[test]
    fn label_selectors() {
        let pod = json!({"metadata": {"labels": {"app": "web", "rank": "3"}}});
        let table = [
            ("app=web", true),
            ("app==web,rank", true),
            ("app!=web", false),
            ("other!=x", true),
            ("app in (db, web)", true),
            ("app notin (db,web)", false),
            ("!app", false),
            ("!other", true),
            ("rank>2,rank<4", true),
            ("", true),
        ];
        for (selector, wanted) in table {
            assert_eq!(pods(selector, "").unwrap().matches(&pod), wanted, "{selector}");
        }
        let refused = pods("a b c", "").unwrap_err();
        assert_eq!(refused, "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt");
    }

    #[test]
    fn field_selectors() {
        let pod = json!({"metadata": {"name": "a"}, "status": {"phase": "Running"}});
        assert!(pods("", "metadata.name=a,status.phase!=Failed").unwrap().matches(&pod));
        assert!(pods("", "spec.nodeName=").unwrap().matches(&pod), "a missing field is empty");
        assert_eq!(pods("", "spec.nosuch=1").unwrap_err(), "field label not supported: spec.nosuch");
    }
}
