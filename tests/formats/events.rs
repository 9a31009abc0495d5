//! Checks `events.jsonl` against docs/events.schema.json.

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;

/// The documented schema.
pub const SCHEMA: &str = include_str!("../../docs/events.schema.json");

/// Checks events; the error names the first invalid one.
pub fn check(events: &[Value]) -> Result<(), String> {
    let (schemas, index) = compiled();
    for event in events {
        schemas.validate(event, index).map_err(|error| format!("{event}\n{error:#}"))?;
    }
    Ok(())
}

fn compiled() -> (Schemas, SchemaIndex) {
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    let schema = serde_json::from_str(SCHEMA).unwrap();
    compiler.add_resource("events.schema.json", schema).unwrap();
    let index = compiler.compile("events.schema.json", &mut schemas).unwrap();
    (schemas, index)
}
