//! Compares events with their documentation.

#[path = "../../../tests/formats/events.rs"]
mod schema;

use serde_json::{Value, json};

#[test]
fn the_schema_accepts_events_and_nothing_else() {
    let note = |text: Value| json!({ "at_ms": 1, "type": "note", "text": text });
    assert_eq!(schema::check(&[note(json!("a"))]), Ok(()));
    for wrong in
        [note(json!(1)), json!({ "at_ms": 1, "type": "other" }), json!({ "at_ms": -1, "type": "note", "text": "" })]
    {
        assert!(schema::check(&[wrong]).is_err());
    }
    let mut more = note(json!("a"));
    more["more"] = json!(true);
    assert!(schema::check(&[more]).is_err(), "undocumented fields are not allowed");
}

#[test]
fn the_page_and_the_schema_list_the_same_types_and_fields() {
    let page = include_str!("../../../docs/events.md");
    let schema: Value = serde_json::from_str(schema::SCHEMA).unwrap();
    let types = schema["oneOf"].as_array().unwrap();
    for event in types {
        let own = event["required"].as_array().unwrap().iter().filter_map(Value::as_str);
        let own = own.filter(|field| !["at_ms", "type"].contains(field)).map(|field| format!("`{field}`"));
        let row = format!("| `{}` | {} |", event["title"].as_str().unwrap(), own.collect::<Vec<_>>().join(", "));
        assert!(page.contains(&row), "docs/events.md lacks: {row}");
    }
    assert_eq!(page.matches("\n| `").count(), types.len());
    for verdict in schema["$defs"]["verdict"]["oneOf"].as_array().unwrap() {
        assert!(page.contains(&format!("`{}` with", verdict["title"].as_str().unwrap())), "{verdict}");
    }
}
