//! Brings the database at `DATABASE_URL` up to date: for `xtask generate`, which needs one before the API compiles.

use anyhow::{Context as _, Result};
use sqlx::{Connection as _, PgConnection};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let url = std::env::var("DATABASE_URL").context("DATABASE_URL is not set")?;
    let mut connection = PgConnection::connect(&url).await?;
    migrations::MIGRATOR.run(&mut connection).await?;
    Ok(())
}
