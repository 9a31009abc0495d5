//! Invalid values are rejected before anything is rendered, with a message that names them.

use crate::helm::{Chart, HELMS};

/// Checks that each value (path, JSON) is rejected with a message of the schema.
pub fn check(chart: Chart, rows: &[(&str, &str, &str)]) {
    for (path, json, words) in rows {
        for helm in HELMS.iter() {
            let refused = chart.render().value(path, json).text(helm).expect_err(path);
            assert!(refused.contains(words) && refused.contains("schema"), "{path}={json}: {refused}");
        }
    }
}
