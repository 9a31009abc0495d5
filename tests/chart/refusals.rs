//! Wrong values are refused before anything is rendered, by a message that names them.

use crate::helm::{Chart, HELMS};

/// Checks that each value (path, JSON) is refused by words of the schema.
pub fn check(chart: Chart, rows: &[(&str, &str, &str)]) {
    for (path, json, words) in rows {
        for helm in HELMS.iter() {
            let refused = chart.render().value(path, json).text(helm).expect_err(path);
            assert!(refused.contains(words) && refused.contains("schema"), "{path}={json}: {refused}");
        }
    }
}
