//! What a run tests: suites in their topologies, and the images under test.

use std::collections::BTreeSet;
use std::sync::Arc;

use console::exit::usage;
use images::{Archive, Reference, UnderTest};
use suite::{ImageUnderTest, Suite, Variant};

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
    /// The images that flags set instead of the stand-in.
    pub given: Vec<GivenImage>,
}

/// A value of `--image`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenImage {
    /// The name of the image in the suite; none if the suite has only one.
    name: Option<String>,
    image: UnderTest,
}

impl GivenImage {
    /// Parses the values of `--image`, `REF` or `NAME=REF`, for the only suite.
    ///
    /// # Errors
    /// A usage error if the suite has no such image, or as [`UnderTest::parse`].
    pub fn parse_all(flags: &[String], suites: &[Arc<Suite>]) -> anyhow::Result<Vec<Self>> {
        let mut given: Vec<Self> = Vec::new();
        for (flag, suite) in flags.iter().filter_map(|flag| Some((flag, suites.first()?))) {
            let one = Self::parse(flag, suite)?;
            if given.iter().any(|other| other.name == one.name) {
                return Err(usage(format!("--image {flag}: an image is given already: pass one for each")));
            }
            given.push(one);
        }
        Ok(given)
    }

    fn parse(flag: &str, suite: &Suite) -> anyhow::Result<Self> {
        let (name, text) = match flag.split_once('=').filter(|(name, _)| is_name(name)) {
            Some((name, text)) => (Some(name.to_owned()), text),
            None => (None, flag),
        };
        let wrong = |why: String| usage(format!("--image {flag}: suite {} {why}", suite.name));
        let names: Vec<_> = suite.images.iter().filter_map(|image| image.name.as_deref()).collect();
        let known = names.join(", ");
        match &name {
            _ if suite.images.is_empty() => {
                return Err(wrong("has no [image]: add one with the paths of its values".to_owned()));
            }
            None if suite.images.len() > 1 => {
                return Err(wrong(format!("has several images: write --image NAME=REF, with one of {known}")));
            }
            Some(name) if names.is_empty() => {
                return Err(wrong(format!(
                    "gives its image no name: write --image REF, or `name = {name:?}` into [image]"
                )));
            }
            Some(name) if !names.contains(&name.as_str()) => {
                return Err(wrong(format!("has no image `{name}`: expected one of {known}")));
            }
            _ => {}
        }
        Ok(Self { name, image: UnderTest::parse(text)? })
    }
}

/// Whether this is the name of an image in a suite, and not the beginning of a path.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
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

    /// Returns the given images.
    pub fn given_images(&self) -> Vec<&UnderTest> {
        self.given.iter().map(|given| &given.image).collect()
    }

    /// Returns the given archives.
    pub fn archives(&self) -> impl Iterator<Item = &Archive> {
        self.given_images().into_iter().filter_map(|image| match image {
            UnderTest::Archive(archive) => Some(archive),
            UnderTest::Reference(_) => None,
        })
    }

    /// Returns the stand-in's program, if an image is played by it. All suites have the same; this was checked earlier.
    pub fn stand_in(&self) -> Option<&str> {
        let images = self.suites().into_iter().flat_map(|suite| &suite.images);
        images.filter(|image| self.given(image).is_none()).find_map(|image| image.stand_in.as_deref())
    }

    /// Returns the image that a flag sets.
    fn given(&self, image: &ImageUnderTest) -> Option<&UnderTest> {
        let is_it = |given: &&GivenImage| given.name.is_none() || given.name == image.name;
        self.given.iter().find(is_it).map(|given| &given.image)
    }

    /// Returns the reference of an image under test, or `None` if the chart's own is tested.
    pub fn image_reference(&self, image: &ImageUnderTest) -> Option<Reference> {
        match self.given(image) {
            None if image.stand_in.is_none() => None,
            None => parse_stand_in().ok(),
            Some(UnderTest::Reference(reference)) => Some(reference.clone()),
            Some(UnderTest::Archive(archive)) => archive.references.first().cloned(),
        }
    }

    /// Describes the images under test, and whether each is the stand-in.
    pub fn image_line(&self) -> String {
        let suites = self.suites();
        let images = suites.iter().flat_map(|suite| &suite.images);
        let mut lines: Vec<String> = Vec::new();
        for image in images {
            let line = self.describe(image);
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        if lines.is_empty() { "the chart's own image".to_owned() } else { lines.join(", ") }
    }

    fn describe(&self, image: &ImageUnderTest) -> String {
        let name =
            self.image_reference(image).map_or_else(|| "the chart's own image".to_owned(), |name| name.to_string());
        match self.given(image) {
            None if image.stand_in.is_some() => format!("the stand-in ({name})"),
            None | Some(UnderTest::Reference(_)) => name,
            Some(UnderTest::Archive(archive)) => format!("{name} of {}", archive.path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suite(images: &str) -> Suite {
        let text = format!(
            "name = \"shop\"\nchart = \".\"\n{images}\n[[topology]]\nname = \"r1\"\nreplicas = 1\ncases = []\n"
        );
        toml::from_str(&text).unwrap()
    }

    const TWO: &str = "[[image]]\nname = \"web\"\nrepository = \"web.image\"\n[[image]]\nname = \"worker\"\nrepository = \"worker.image\"\nstand_in = \"/bin/worker\"";

    fn parsed(flags: &[&str], images: &str) -> anyhow::Result<Vec<GivenImage>> {
        let flags: Vec<_> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        GivenImage::parse_all(&flags, &[Arc::new(suite(images))])
    }

    fn error(flags: &[&str], images: &str) -> String {
        parsed(flags, images).unwrap_err().to_string()
    }

    #[test]
    fn each_image_is_set_by_its_name() {
        let suite = Arc::new(suite(TWO));
        let variant = Variant { suite: suite.clone(), topology: suite.topologies[0].clone() };
        let given = parsed(&["web=a/web:dev"], TWO).unwrap();
        let subject = Subject { variants: vec![Arc::new(variant)], about: [0].into(), given };
        let references: Vec<_> =
            suite.images.iter().map(|image| subject.image_reference(image).unwrap().to_string()).collect();
        assert_eq!(references, ["a/web:dev", STAND_IN]);
        assert_eq!(subject.image_line(), format!("a/web:dev, the stand-in ({STAND_IN})"));
        assert_eq!(subject.stand_in(), Some("/bin/worker"));
    }

    #[test]
    fn a_wrong_name_lists_the_right_ones() {
        assert_eq!(
            error(&["wroker=a:b"], TWO),
            "--image wroker=a:b: suite shop has no image `wroker`: expected one of web, worker"
        );
        let several = "--image a:b: suite shop has several images: write --image NAME=REF, with one of web, worker";
        assert_eq!(error(&["a:b"], TWO), several);
        assert!(error(&["web=a:b", "web=a:c"], TWO).ends_with("an image is given already: pass one for each"));
        let one = "[image]\nrepository = \"image\"";
        assert_eq!(
            error(&["web=a:b"], one),
            "--image web=a:b: suite shop gives its image no name: write --image REF, or `name = \"web\"` into [image]"
        );
        assert_eq!(error(&["a:b"], ""), "--image a:b: suite shop has no [image]: add one with the paths of its values");
        assert!(error(&["./a=b.tar"], one).starts_with("./a=b.tar: "), "a path, not a name");
    }
}
