//! A headless browser: loads a page and measures its layout.

use crate::command::command;
use std::path::{Path, PathBuf};

/// Injected into a copy of the page: unfolds everything, measures, and reports to the surrounding page.
const MEASURE: &str = "<script>
document.querySelectorAll('details').forEach(details => details.open = true);
const root = document.documentElement;
const found = { width: innerWidth, scroll: root.scrollWidth, height: root.scrollHeight, text: document.body.innerText };
parent.postMessage('MEASURED' + encodeURIComponent(JSON.stringify(found)) + 'MEASURED', '*');
</script></body>";

/// The window of a headless browser can't be as narrow as a phone, but a frame can, with the layout of such a window.
fn around(width: u32) -> String {
    format!(
        "<script>onmessage = message => document.body.textContent = message.data;</script>
        <body><iframe src=report.html style='width: {width}px; height: 900px; border: 0'></iframe></body>"
    )
}

pub struct Browser {
    program: PathBuf,
}

/// A loaded page.
pub struct Page {
    pub width: u32,
    pub scroll_width: u32,
    pub height: u32,
    pub text: String,
}

impl Browser {
    /// Returns the first browser on PATH.
    pub fn find() -> Option<Self> {
        let names = ["chromium", "chromium-browser", "google-chrome"];
        names.iter().find_map(|name| which::which(name).ok()).map(|program| Self { program })
    }

    /// Loads a file in a window of this width.
    pub fn open(&self, file: &Path, width: u32) -> Page {
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("report.html");
        let page = std::fs::read_to_string(file).unwrap();
        assert!(page.contains("</body>"), "the page is complete");
        std::fs::write(&copy, page.replace("</body>", MEASURE)).unwrap();
        let outer = folder.path().join("around.html");
        std::fs::write(&outer, around(width)).unwrap();
        let profile = format!("--user-data-dir={}", folder.path().join("profile").display());
        // The browser's virtual time advances until the frame's message has arrived.
        let flags = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=1600,1000", &profile];
        let flags = flags.into_iter().chain(["--virtual-time-budget=10000", "--dump-dom"]);
        let address = format!("file://{}", outer.display());
        let output =
            command(&self.program, flags.chain([address.as_str()])).stdout_capture().stderr_null().read().unwrap();
        let found = output.split("MEASURED").nth(1).expect("the page was measured");
        let found: serde_json::Value = serde_json::from_str(&decoded(found)).unwrap();
        let number = |name: &str| u32::try_from(found[name].as_u64().unwrap()).unwrap();
        let text = found["text"].as_str().unwrap().to_owned();
        Page { width: number("width"), scroll_width: number("scroll"), height: number("height"), text }
    }
}

/// Decodes the result of `encodeURIComponent`.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        rest = more;
        bytes.push(match (first, more) {
            (b'%', [high, low, ..]) => {
                rest = &more[2..];
                u8::from_str_radix(std::str::from_utf8(&[*high, *low]).unwrap(), 16).unwrap()
            }
            _ => *first,
        });
    }
    String::from_utf8(bytes).unwrap()
}
