//! The schema: brought up to date by `pinfold-api migrate` alone, checked by everybody else.

use migrations::MIGRATOR;
use secrecy::ExposeSecret as _;
use sqlx::{ConnectOptions as _, PgPool, postgres::PgConnectOptions};

use crate::{config, store::StoreError};

/// Applies what is missing; says how many migrations there are. One process at a time does it, others wait for it.
pub async fn run(config: &config::Database) -> Result<usize, StoreError> {
    let options: PgConnectOptions = config
        .migration_url
        .expose_secret()
        .parse()
        .map_err(|source| StoreError::new("read the database's address", source))?;
    let mut connection = options
        .application_name("pinfold-api migrate")
        .connect()
        .await
        .map_err(|source| StoreError::new("connect to the database", source))?;
    MIGRATOR
        .run(&mut connection)
        .await
        .map_err(|source| StoreError::Migration {
            attempt: "apply the migrations",
            source,
        })?;
    Ok(MIGRATOR.iter().count())
}

/// Fails if a migration is missing that this release needs. Newer ones are no trouble: they only add.
pub async fn check(pool: &PgPool) -> Result<(), StoreError> {
    let Some(newest) = MIGRATOR.iter().map(|m| m.version).max() else {
        return Ok(());
    };
    let applied = sqlx::query_scalar!("SELECT to_regclass('public._sqlx_migrations') IS NOT NULL AS \"there!\"")
        .fetch_one(pool)
        .await
        .map_err(|source| StoreError::new("look for the migrations", source))?;
    if !applied {
        return Err(StoreError::Outdated(newest));
    }
    let done = sqlx::query_scalar!("SELECT max(version) FROM _sqlx_migrations WHERE success")
        .fetch_one(pool)
        .await
        .map_err(|source| StoreError::new("read the migrations", source))?;
    match done {
        Some(version) if version >= newest => Ok(()),
        _ => Err(StoreError::Outdated(newest)),
    }
}
