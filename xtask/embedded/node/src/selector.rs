//! Label selectors (`matchLabels`, `matchExpressions`), and the operators of all selectors.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

type Labels = BTreeMap<String, String>;

/// Returns whether the selector matches; an empty selector matches everything.
pub fn matches(selector: &LabelSelector, labels: Option<&Labels>) -> bool {
    let empty = Labels::new();
    let labels = labels.unwrap_or(&empty);
    let wanted = selector.match_labels.iter().flatten();
    let expressions = selector.match_expressions.iter().flatten();
    wanted.into_iter().all(|(key, value)| labels.get(key) == Some(value))
        && expressions.into_iter().all(|e| holds(&e.operator, labels.get(&e.key), e.values.as_deref()))
}

/// Returns whether all of these labels are present with these values; an empty map matches nothing.
pub fn matches_map(wanted: &Labels, labels: Option<&Labels>) -> bool {
    !wanted.is_empty() && labels.is_some_and(|labels| wanted.iter().all(|(k, v)| labels.get(k) == Some(v)))
}

/// Returns whether one expression of a label or node selector is true for a value.
pub fn holds(operator: &str, value: Option<&String>, values: Option<&[String]>) -> bool {
    let operator = Operator::named(operator);
    operator.is_some_and(|operator| operator.holds(value.map(String::as_str), values.unwrap_or_default()))
}

/// How a requirement compares a value with its own values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// One of these.
    In,
    /// None of these.
    NotIn,
    /// Any value.
    Exists,
    /// No value.
    DoesNotExist,
    /// A greater number than the first of these.
    Gt,
    /// A smaller one.
    Lt,
}

impl Operator {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "In" => Self::In,
            "NotIn" => Self::NotIn,
            "Exists" => Self::Exists,
            "DoesNotExist" => Self::DoesNotExist,
            "Gt" => Self::Gt,
            "Lt" => Self::Lt,
            _ => return None,
        })
    }

    /// Returns whether a value, `None` if the label is absent, satisfies the requirement.
    pub fn holds(self, value: Option<&str>, values: &[String]) -> bool {
        let is_listed = || value.is_some_and(|value| values.iter().any(|wanted| wanted == value));
        let number = |text: &str| text.parse::<i64>().ok();
        let bound = || values.first().and_then(|bound| number(bound));
        match self {
            Self::In => is_listed(),
            Self::NotIn => !is_listed(),
            Self::Exists => value.is_some(),
            Self::DoesNotExist => value.is_none(),
            Self::Gt => value.and_then(number).zip(bound()).is_some_and(|(value, bound)| value > bound),
            Self::Lt => value.and_then(number).zip(bound()).is_some_and(|(value, bound)| value < bound),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(selector: &serde_json::Value, expected: bool) {
        let labels = Labels::from([("app".to_owned(), "web".to_owned()), ("rank".to_owned(), "3".to_owned())]);
        let parsed: LabelSelector = serde_json::from_value(selector.clone()).unwrap();
        assert_eq!(matches(&parsed, Some(&labels)), expected, "{selector}");
    }

    #[test]
    fn labels_and_expressions_all_have_to_match() {
        check(&json!({}), true);
        check(&json!({"matchLabels": {"app": "web"}}), true);
        check(&json!({"matchLabels": {"app": "web", "tier": "front"}}), false);
        for (operator, values, expected) in [
            ("In", json!(["web", "db"]), true),
            ("In", json!(["db"]), false),
            ("NotIn", json!(["db"]), true),
            ("NotIn", json!(["web"]), false),
            ("Exists", json!([]), true),
            ("DoesNotExist", json!([]), false),
            ("Near", json!(["web"]), false),
        ] {
            check(&json!({"matchExpressions": [{"key": "app", "operator": operator, "values": values}]}), expected);
        }
        check(&json!({"matchExpressions": [{"key": "rank", "operator": "Gt", "values": ["2"]}]}), true);
        check(&json!({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["db"]}]}), true);
    }
}
