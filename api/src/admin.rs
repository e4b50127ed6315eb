//! `pinfold-api create-admin`: the first person, who runs the platform.

use anyhow::{Context as _, Result, bail};
use domain::{EmailAddress, OverseerId, TenantId};
use jiff::Timestamp;
use serde_json::json;

use crate::{
    auth::{password, random::random},
    config::Config,
    service::sign_up,
    store::{
        Database,
        accounts::{self, NewPerson},
    },
};

/// Makes a person who runs the platform.
pub async fn create(config: &Config, email: &str, name: &str, chosen: String) -> Result<OverseerId> {
    let email = EmailAddress::parse(email).with_context(|| format!("--email {email:?}"))?;
    password::check(&chosen, email.key()).context("the password will not do")?;
    let hash = password::hash(&chosen, random()?)?;
    let database = Database::open_for_command(&config.database)?;
    database.check().await.context("check the database")?;
    let now = Timestamp::now();
    let id = OverseerId::new(now, random()?);
    let mut tx = database.tenant(TenantId::new(now, random()?)).await?;
    let person = NewPerson {
        id,
        email: Some(&email),
        name,
        platform_admin: true,
        at: now,
    };
    if !sign_up::open(&mut tx, &person, json!({}), "create-admin").await? {
        bail!("there is an account with the address {email}");
    }
    accounts::set_password(&mut tx, id, &hash, now).await?;
    tx.commit().await?;
    Ok(id)
}
