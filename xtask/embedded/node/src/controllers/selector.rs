//! Label selectors of objects (`matchLabels`, `matchExpressions`).

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

type Labels = BTreeMap<String, String>;

/// Whether the selector matches; an empty selector matches everything.
pub fn matches(selector: &LabelSelector, labels: Option<&Labels>) -> bool {
    let empty = Labels::new();
    let labels = labels.unwrap_or(&empty);
    let wanted = selector.match_labels.iter().flatten();
    let expressions = selector.match_expressions.iter().flatten();
    wanted.into_iter().all(|(key, value)| labels.get(key) == Some(value))
        && expressions.into_iter().all(|e| holds(&e.operator, labels.get(&e.key), e.values.as_deref()))
}

/// Whether all of these labels are there with these values; no wanted label matches nothing.
pub fn matches_map(wanted: &Labels, labels: Option<&Labels>) -> bool {
    !wanted.is_empty() && labels.is_some_and(|labels| wanted.iter().all(|(k, v)| labels.get(k) == Some(v)))
}

/// One expression of a label or node selector on the value that it is about.
pub fn holds(operator: &str, value: Option<&String>, values: Option<&[String]>) -> bool {
    let listed = || value.is_some_and(|value| values.unwrap_or_default().contains(value));
    let number = |text: &String| text.parse::<i64>().ok();
    let bound = || values.unwrap_or_default().first().and_then(number);
    match operator {
        "In" => listed(),
        "NotIn" => !listed(),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => value.and_then(number).zip(bound()).is_some_and(|(value, bound)| value > bound),
        "Lt" => value.and_then(number).zip(bound()).is_some_and(|(value, bound)| value < bound),
        _ => false,
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
