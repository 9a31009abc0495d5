//! Checks the colours in style.css against WCAG 2.2: a contrast of 4.5 for text, 3 for graphics.

use std::collections::BTreeMap;

const CSS: &str = include_str!("style.css");

/// Returns the properties of each selector. Media queries are skipped: they only change the layout.
fn rules() -> BTreeMap<String, BTreeMap<String, String>> {
    let mut rules: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let plain = CSS.split("@media").next().unwrap();
    for rule in plain.split('}').filter_map(|rule| rule.split_once('{')) {
        let properties = rule.1.split(';').filter_map(|property| property.split_once(':'));
        let properties: Vec<_> = properties.map(|(n, v)| (n.trim().to_owned(), v.trim().to_owned())).collect();
        for selector in rule.0.split(',') {
            rules.entry(selector.trim().to_owned()).or_default().extend(properties.iter().cloned());
        }
    }
    rules
}

fn luminance(selector: &str, property: &str) -> f64 {
    let rules = rules();
    let value = &rules[selector][property];
    let name = value.strip_prefix("var(").and_then(|rest| rest.strip_suffix(')'));
    let hex = name.map_or(value.as_str(), |name| rules[":root"][name].as_str()).trim_start_matches('#');
    let long: String = if hex.len() == 3 { hex.chars().flat_map(|c| [c, c]).collect() } else { hex.to_owned() };
    let channel = |at: usize| {
        let part = f64::from(u8::from_str_radix(&long[at..at + 2], 16).unwrap()) / 255.0;
        if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(0) + 0.7152 * channel(2) + 0.0722 * channel(4)
}

fn contrast(front: (&str, &str), back: (&str, &str)) -> f64 {
    let (a, b) = (luminance(front.0, front.1), luminance(back.0, back.1));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

fn at_least(least: f64, front: (&str, &str), back: (&str, &str)) {
    let got = contrast(front, back);
    assert!(got >= least, "{front:?} on {back:?}: {got:.2}, at least {least}");
}

#[test]
fn every_text_has_the_contrast_of_aa() {
    for class in ["green", "red", "amber", "grey", "gap"] {
        let (back, front) = match class {
            "gap" => (".legend span.gap".to_owned(), ".legend span.gap"),
            _ => (format!(".legend .{class}"), ".legend span"),
        };
        at_least(4.5, (front, "color"), (&back, "background"));
    }
    for class in ["green", "red", "grey"] {
        at_least(4.5, (".cases .verdict", "color"), (&format!(".cases .{class} .verdict"), "background"));
    }
    for class in ["green", "red"] {
        at_least(4.5, ("header", "color"), (&format!("header.{class}"), "background"));
    }
    for front in ["body", "a", ".cases .time", ".journal .time", ".journal .source"] {
        at_least(4.5, (front, "color"), ("body", "background"));
    }
    for back in ["pre", ".journal .fault", ".journal .case"] {
        at_least(4.5, ("body", "color"), (back, "background"));
    }
    for (front, back) in [(".journal .time", ".journal .fault"), (".journal .source", ".journal .case")] {
        at_least(4.5, (front, "color"), (back, "background"));
    }
}

#[test]
fn bars_stand_out_from_their_lane() {
    for bar in ["rect.green", "rect.red", "rect.amber", "rect.grey"] {
        at_least(3.0, (bar, "fill"), (".lane svg", "background"));
        at_least(3.0, (bar, "fill"), ("rect.gap", "fill"));
    }
}

#[test]
fn the_formula_is_that_of_wcag() {
    // Black on white is 21 by definition.
    let white_on_ink = contrast(("body", "background"), ("body", "color"));
    assert!((white_on_ink - 17.2).abs() < 0.2, "{white_on_ink}");
}
