//! Stand-ins for other programs, so that charts of other systems can be tested: `web`, `db`, `migrate`, `job` and
//! `worker`, and `cli`, a command line.

mod cli;
mod client;
mod db;
mod job;
mod late;
mod lines;
mod migrate;
mod pool;
mod records;
mod sessions;
mod web;
mod worker;

use anyhow::Result;

use client::Url;

pub use cli::Cli;
pub use db::Db;
pub use job::Job;
pub use migrate::Migrate;
pub use web::Web;
pub use worker::Worker;

/// Options that charts leave empty if there is no value: with a plain `Option` or `Vec`, clap would count them as
/// given.
type MaybeUrl = Option<Url>;
type MaybeText = Option<String>;
type Urls = Vec<Url>;
type Names = Vec<String>;

fn maybe_url(text: &str) -> Result<MaybeUrl> {
    if text.is_empty() { Ok(None) } else { text.parse().map(Some) }
}

#[expect(clippy::unnecessary_wraps, reason = "clap's parsers return results")]
fn maybe_text(text: &str) -> Result<MaybeText> {
    Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
}

fn urls(list: &str) -> Result<Urls> {
    words(list).map(str::parse).collect()
}

#[expect(clippy::unnecessary_wraps, reason = "clap's parsers return results")]
fn names(list: &str) -> Result<Names> {
    Ok(words(list).map(str::to_owned).collect())
}

fn words(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|word| !word.is_empty())
}
