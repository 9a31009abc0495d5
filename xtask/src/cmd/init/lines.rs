//! Lines of TOML: comments and strings.

/// The length of a line, in characters.
pub const WIDTH: usize = 110;

/// Returns a comment of one or several lines.
pub fn comment(text: &str) -> String {
    let mut lines = vec!["#".to_owned()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + word.len() < WIDTH || line == "#" => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(format!("# {word}")),
        }
    }
    lines.join("\n") + "\n"
}

/// Returns a string as TOML has it.
pub fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}
