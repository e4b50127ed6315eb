//! `pinfold-api reseal`: the master key is another, and what the one before it sealed and signed is sealed and signed anew. What changes
//! meanwhile is sealed under the new key by whoever changes it, so the service runs on; what was done is not done again.

use std::{fmt, time::Duration};

use anyhow::{Context as _, Result, bail};
use domain::{OverseerId, TenantId};
use uuid::Uuid;

use crate::{
    auth::{
        chain::{self, Signer},
        seal::MasterKey,
    },
    config::Config,
    service::{keyring, second_factor},
    store::{Database, Scope as _, audit_chain, second_factors, signing_keys},
};

/// Authenticators that are read at once.
const PAGE: i64 = 500;

/// How often, and how long apart, is looked for a chain that a worker numbers: that takes it milliseconds.
const TRIES: u32 = 100;
const APART: Duration = Duration::from_millis(50);

/// What was sealed or signed anew.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Resealed {
    /// Keys that sign tokens.
    pub signing_keys: usize,
    /// Secrets of people's authenticators.
    pub authenticators: usize,
    /// Ends of audit chains.
    pub audit_heads: usize,
}

impl fmt::Display for Resealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            signing_keys,
            authenticators,
            audit_heads,
        } = self;
        write!(
            f,
            "sealed anew: {signing_keys} signing keys, {authenticators} authenticators, {audit_heads} ends of the audit. \
             Answers to requests with an Idempotency-Key are kept for a day: after that PINFOLD_PREVIOUS_MASTER_KEY is needed no more"
        )
    }
}

/// Does it, with the keys of the configuration.
pub async fn run(config: &Config) -> Result<Resealed> {
    let master = &config.auth.master_key;
    if master.previous().is_none() {
        bail!(
            "PINFOLD_PREVIOUS_MASTER_KEY (auth.previous_master_key in the file): name the key that is being replaced"
        );
    }
    let database = Database::open_for_command(&config.database)?;
    database.check().await.context("check the database")?;
    all(&database, master).await
}

/// Seals and signs anew whatever is not under the current key.
pub async fn all(database: &Database, master: &MasterKey) -> Result<Resealed> {
    Ok(Resealed {
        signing_keys: reseal_signing_keys(database, master).await?,
        authenticators: reseal_authenticators(database, master).await?,
        audit_heads: sign_heads(database, &Signer::new(master)?).await?,
    })
}

async fn reseal_signing_keys(database: &Database, master: &MasterKey) -> Result<usize> {
    let mut count = 0;
    let mut tx = database.platform().await?;
    signing_keys::lock(&mut tx).await?;
    for (id, sealed) in signing_keys::sealed(&mut tx).await? {
        let anew = master.reseal(keyring::PURPOSE, &id, &sealed);
        if let Some(anew) = anew.with_context(|| format!("the signing key {id}"))? {
            signing_keys::reseal(&mut tx, &id, &anew).await?;
            count += 1;
        }
    }
    tx.commit().await?;
    Ok(count)
}

async fn reseal_authenticators(database: &Database, master: &MasterKey) -> Result<usize> {
    let mut count = 0;
    let mut last = OverseerId::of_uuid(Uuid::nil());
    loop {
        let mut tx = database.platform().await?;
        let page = second_factors::sealed(&mut tx, last, PAGE).await?;
        let Some((newest, _)) = page.last() else {
            return Ok(count);
        };
        last = *newest;
        for (overseer, sealed) in &page {
            let anew = master.reseal(second_factor::PURPOSE, &overseer.to_string(), sealed);
            let anew = anew.with_context(|| format!("the authenticator of {overseer}"))?;
            // One that was made anew meanwhile is under the new key.
            if let Some(anew) = anew
                && second_factors::reseal(&mut tx, *overseer, sealed, &anew).await?
            {
                count += 1;
            }
        }
        tx.commit().await?;
    }
}

async fn sign_heads(database: &Database, signer: &Signer) -> Result<usize> {
    let mut count = 0;
    for of in audit_chain::chains(database.pool()).await? {
        count += usize::from(sign_head(database, signer, of).await?);
    }
    Ok(count)
}

/// Signs the end of a chain anew; false if there is none, or it is signed with this key.
async fn sign_head(database: &Database, signer: &Signer, of: Option<TenantId>) -> Result<bool> {
    let name = chain::name(of);
    for _ in 0..TRIES {
        let mut tx = database.any(of).await?;
        if !audit_chain::lock(&mut tx).await? {
            drop(tx);
            tokio::time::sleep(APART).await;
            continue;
        }
        let Some((head, link)) = audit_chain::head(&mut tx).await? else {
            return Ok(false);
        };
        if signer.signs(&head) {
            return Ok(false);
        }
        if !signer.signed(&head) {
            bail!("the end of the audit chain {name} is signed with neither key; look with pinfold-api verify-audit");
        }
        let at = jiff::Timestamp::from_microsecond(head.at)?;
        audit_chain::put_head(&mut tx, &signer.head(of, head.count, link, at), link).await?;
        tx.commit().await?;
        return Ok(true);
    }
    bail!("somebody numbers the audit chain {name} all the time; try again")
}

#[cfg(test)]
mod tests;
