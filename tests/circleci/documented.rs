//! The examples in docs/ci.md: they conform to the published schemas, and the program accepts their flags.

use serde_json::{Value, json};

use crate::starter::command as start;
use crate::{commands, objections, root};

/// The schema of each example, in the order of the page.
const SCHEMAS: [&str; 2] = ["schema.json", "github-workflow.json"];

/// Returns the YAML examples of the page.
fn examples() -> Vec<Value> {
    let page = std::fs::read_to_string(root().join("docs/ci.md")).unwrap();
    let blocks = page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.map(|block| serde_saphyr::from_str(block).unwrap()).collect()
}

#[test]
fn the_examples_conform_to_the_published_schemas() {
    let examples = examples();
    assert_eq!(examples.len(), SCHEMAS.len());
    for (example, schema) in examples.iter().zip(SCHEMAS) {
        assert_eq!(objections(schema, example), None, "{schema}");
    }
}

#[test]
fn the_schema_of_workflows_rejects_a_step_without_an_action() {
    let mut workflow = examples().remove(1);
    *workflow.pointer_mut("/jobs/prove/steps/0").unwrap() = json!({ "use": "actions/checkout" });
    assert!(objections(SCHEMAS[1], &workflow).is_some());
}

#[test]
fn the_program_accepts_their_flags() {
    let help = start(env!("CARGO_BIN_EXE_chartproof"), ["e2e", "--help"]).read().unwrap();
    let commands: Vec<String> = examples().iter().flat_map(commands).collect();
    let mut checked = 0;
    for call in commands.iter().flat_map(|command| command.split("chartproof e2e ").skip(1)) {
        let ours = call.split(['|', '"']).next().unwrap_or_default();
        for flag in ours.split_whitespace().filter(|word| word.starts_with("--")) {
            assert!(help.contains(flag), "{call}: `chartproof e2e` has no {flag}");
            checked += 1;
        }
    }
    assert!(checked > 8, "{commands:?}");
}
