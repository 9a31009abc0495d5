//! Unknown names of cases in suite files.

use std::path::Path;

use super::loading::{GOOD, line_at, parse};

#[test]
fn an_unknown_case_names_the_nearest_and_its_line_in_a_list() {
    let end = "\"scale_up\", \"uninstall\"]";
    let text = GOOD.replacen(end, "\"scale_up\",\n{ case = \"unistall\" }]", 1);
    let error = parse(Path::new("e2e.toml"), &text).unwrap_err().to_string();
    let line = line_at(&text, text.find("unistall").unwrap());
    assert!(
        error.starts_with(&format!("e2e.toml:{line}: unknown case `unistall`: did you mean `uninstall`?")),
        "{error}"
    );
}
