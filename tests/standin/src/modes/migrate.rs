//! `caesium migrate`: a migration that runs once, as a hook or when a server starts.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::client::Url;
use super::{MaybeText, MaybeUrl};
use crate::log;

/// Runs a migration on a db, once; waits for the db to respond
#[derive(Clone, Debug, clap::Args)]
#[expect(clippy::struct_field_names, reason = "these are names of options, which web has among its own")]
pub struct Migrate {
    /// The db, as http://host:port
    #[arg(
        long, env = "STANDIN_MIGRATE_DB",
        default_value = "", hide_default_value = true, value_parser = super::maybe_url
    )]
    migrate_db: MaybeUrl,
    /// Name of the migration
    #[arg(long, env = "STANDIN_MIGRATION", default_value = "0001")]
    migration: String,
    /// The db's password
    #[arg(
        long, env = "STANDIN_DB_PASSWORD", hide_env_values = true,
        default_value = "", hide_default_value = true, value_parser = super::maybe_text
    )]
    db_password: MaybeText,
    /// How many seconds to wait for the db
    #[arg(long, env = "STANDIN_MIGRATE_WAIT_S", default_value_t = 30.0)]
    migrate_wait: f64,
    /// How many seconds the migration takes
    #[arg(long, env = "STANDIN_MIGRATE_TAKES_S", default_value_t = 0.0)]
    migrate_takes: f64,
    /// Fail instead of migrating
    #[arg(long, env = "STANDIN_MIGRATE_FAILS", value_parser = clap::builder::FalseyValueParser::new())]
    migrate_fails: bool,
}

impl Migrate {
    /// Runs the migration.
    pub async fn run(&self) -> Result<()> {
        let Some(db) = &self.migrate_db else { bail!("--migrate-db or STANDIN_MIGRATE_DB is missing") };
        let url = db.join(&format!("/v1/migrations/{}", self.migration));
        self.wait_for(db).await?;
        tokio::time::sleep(Duration::try_from_secs_f64(self.migrate_takes)?).await;
        if self.migrate_fails {
            bail!("migration {} failed, as requested by --migrate-fails", self.migration);
        }
        let answer = url.request("POST", "", self.db_password.as_deref()).await?;
        match answer.status {
            201 => log::info(format_args!("migration {} applied", self.migration)),
            200 => log::info(format_args!("migration {} was applied before", self.migration)),
            status => bail!("migration {} failed: {url} returned {status}: {}", self.migration, answer.body),
        }
        Ok(())
    }

    /// Runs the migration if a db is named.
    pub async fn run_if_named(&self) -> Result<()> {
        if self.migrate_db.is_some() || self.migrate_fails { self.run().await } else { Ok(()) }
    }

    /// Returns the db's password.
    pub fn password(&self) -> Option<&str> {
        self.db_password.as_deref()
    }

    async fn wait_for(&self, db: &Url) -> Result<()> {
        let (started, wait) = (Instant::now(), Duration::try_from_secs_f64(self.migrate_wait)?);
        while let Err(error) = db.join("/health/ready").answers().await {
            if started.elapsed() >= wait {
                return Err(error.context(format!("migration {} failed: no db after {wait:?}", self.migration)));
            }
            log::info(format_args!("waiting for the db: {error:#}"));
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        Ok(())
    }
}
