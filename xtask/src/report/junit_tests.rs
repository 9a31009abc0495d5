//! The report against what readers of `JUnit` files agree on: the elements, attributes and order of Jenkins'
//! junit-10.xsd, written down here by hand (no crate validates XML schemas), and times and counts that add up.

use std::collections::BTreeMap;
use std::time::Duration;

use quick_xml::events::Event as Xml;
use quick_xml::reader::Reader;

use super::*;

/// Element: where it may stand, which attributes it must and which it may have.
const SCHEMA: [(&str, &[&str], &[&str], &[&str]); 7] = [
    ("testsuites", &[""], &[], &["name", "time", "tests", "failures", "errors"]),
    ("testsuite", &["testsuites"], &["name", "tests", "failures", "errors"], &["time", "skipped", "timestamp", "id"]),
    ("testcase", &["testsuite"], &["name"], &["time", "classname"]),
    ("failure", &["testcase"], &[], &["type", "message"]),
    ("error", &["testcase"], &[], &["type", "message"]),
    ("skipped", &["testcase"], &[], &["type", "message"]),
    ("system-out", &["testcase", "testsuite"], &[], &[]),
];

struct Element {
    name: String,
    parent: String,
    attributes: BTreeMap<String, String>,
}

fn elements(xml: &str) -> Vec<Element> {
    let mut reader = Reader::from_str(xml);
    let (mut open, mut found): (Vec<String>, Vec<Element>) = (Vec::new(), Vec::new());
    loop {
        let event = reader.read_event().unwrap();
        match &event {
            Xml::Start(tag) | Xml::Empty(tag) => {
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                let name = text(tag.name().as_ref());
                let attributes = tag.attributes().map(Result::unwrap);
                let attributes = attributes.map(|a| (text(a.key.as_ref()), text(&a.value))).collect();
                found.push(Element {
                    name: name.clone(),
                    parent: open.last().cloned().unwrap_or_default(),
                    attributes,
                });
                if matches!(event, Xml::Start(_)) {
                    open.push(name);
                }
            }
            Xml::End(_) => drop(open.pop()),
            Xml::Eof => break,
            _ => {}
        }
    }
    assert!(open.is_empty(), "every element is closed");
    found
}

fn check(element: &Element) {
    let row = SCHEMA.iter().find(|(name, ..)| *name == element.name);
    let (name, parents, must, may) = row.unwrap_or_else(|| panic!("{} is no element of JUnit", element.name));
    assert!(parents.contains(&element.parent.as_str()), "{name} in {:?}", element.parent);
    for attribute in *must {
        assert!(element.attributes.contains_key(*attribute), "{name} without {attribute}");
    }
    for (attribute, value) in &element.attributes {
        let known = must.contains(&attribute.as_str()) || may.contains(&attribute.as_str());
        assert!(known, "{name} has no attribute {attribute}");
        let is_number = value.parse::<f64>().is_ok_and(|number| number >= 0.0);
        let counts = ["time", "tests", "failures", "errors", "skipped"].contains(&attribute.as_str());
        assert!(!counts || *name == "testcase" && attribute != "time" || is_number, "{name} {attribute}={value}");
    }
}

fn events() -> Vec<Event> {
    let case = |name: &str| format!("caesium::r1::{name}");
    let ended = |name: &str, took_ms, verdict| What::CaseEnded { case: case(name), took_ms, verdict };
    let what = [
        What::RunStarted {
            run_id: "0a1b2c3d".to_owned(),
            cluster: "embedded".to_owned(),
            image: "the stand-in".to_owned(),
            cases: ["install", "ready", "health", "voters"].map(case).to_vec(),
            began_unix_ms: 1_790_000_000_000,
        },
        What::CaseStarted { case: case("install") },
        ended("install", 400, Verdict::Passed { note: "a < b & \u{1b}[31mred\u{1b}[0m".to_owned() }),
        What::CaseStarted { case: case("ready") },
        What::Evidence { case: case("ready"), path: "r1/failed/ready".to_owned() },
        ended("ready", 8490, Verdict::Failed { message: "\"<no>\" pod\nsecond line".to_owned() }),
        ended("health", 0, Verdict::NotRun { culprit: case("ready") }),
        What::CaseStarted { case: case("voters") },
    ];
    what.into_iter().zip(0..).map(|(what, at)| Event::new(Duration::from_secs(at), what)).collect()
}

#[test]
fn every_element_and_attribute_is_one_of_junits() {
    let rendered = render(&events()).unwrap();
    let found = elements(&rendered);
    found.iter().for_each(check);
    assert_eq!(found.iter().filter(|element| element.name == "testcase").count(), 4);
}

#[test]
fn a_case_has_its_phases_time_its_message_and_its_evidence() {
    let rendered = render(&events()).unwrap();
    let found = elements(&rendered);
    let case = |name: &str| {
        let is = |e: &&Element| e.name == "testcase" && e.attributes["name"] == name;
        &found.iter().find(is).unwrap().attributes
    };
    assert_eq!((case("ready")["classname"].as_str(), case("ready")["time"].as_str()), ("caesium::r1", "8.490"));
    let suite = found.iter().find(|element| element.name == "testsuite").unwrap();
    assert_eq!(suite.attributes["time"], "8.890", "the sum of its cases");
    let counts = ["tests", "failures", "skipped", "errors"].map(|name| suite.attributes[name].as_str());
    assert_eq!(counts, ["4", "1", "1", "1"], "a case that was cut short is an error");
    assert!(rendered.contains("evidence: r1/failed/ready</failure>"), "{rendered}");
    assert!(rendered.contains("not run: caesium::r1::ready"), "{rendered}");
}
