//! What a run tests: suites in their topologies, and the image under test.

use std::collections::BTreeSet;
use std::sync::Arc;

use images::{Reference, UnderTest};
use suite::{Suite, Variant};

/// The name of the stand-in's image, which can't be mistaken for a real one.
const STAND_IN: &str = "chartproof/stand-in:dev";

pub(super) fn parse_stand_in() -> anyhow::Result<Reference> {
    STAND_IN.parse().map_err(|error| anyhow::anyhow!("{STAND_IN}: {error}"))
}

/// What a run tests.
pub struct Subject {
    /// The suites in their topologies.
    pub variants: Vec<Arc<Variant>>,
    /// The indexes of those with a case that runs.
    pub about: BTreeSet<usize>,
    /// The image under test.
    pub image: UnderTest,
}

impl Subject {
    /// Returns the variants with a case that runs.
    pub fn about(&self) -> impl Iterator<Item = &Arc<Variant>> {
        self.about.iter().filter_map(|index| self.variants.get(*index))
    }

    /// Returns each suite once.
    pub fn suites(&self) -> Vec<&Arc<Suite>> {
        let mut suites: Vec<&Arc<Suite>> = Vec::new();
        for variant in &self.variants {
            if !suites.iter().any(|suite| Arc::ptr_eq(suite, &variant.suite)) {
                suites.push(&variant.suite);
            }
        }
        suites
    }

    /// Returns the reference of the image under test for a suite's charts, or `None` if there is none.
    pub fn image_reference(&self, suite: &Suite) -> Option<Reference> {
        match &self.image {
            _ if suite.image.is_none() => None,
            UnderTest::StandIn if suite.stand_in().is_none() => None,
            UnderTest::StandIn => parse_stand_in().ok(),
            UnderTest::Reference(reference) => Some(reference.clone()),
            UnderTest::Archive(archive) => archive.references.first().cloned(),
        }
    }

    /// Describes the image under test, and whether it is the stand-in.
    pub fn image_line(&self) -> String {
        let name = self.suites().into_iter().find_map(|suite| self.image_reference(suite));
        let stands_in = name.is_some();
        let name = name.map_or_else(|| "the chart's own image".to_owned(), |name| name.to_string());
        match &self.image {
            UnderTest::StandIn if stands_in => format!("the stand-in ({name})"),
            UnderTest::StandIn | UnderTest::Reference(_) => name,
            UnderTest::Archive(archive) => format!("{name} of {}", archive.path.display()),
        }
    }
}
