//! The composition root: makes every part from the configuration and joins them.

use std::{ops::Deref, sync::Arc};

use anyhow::{Context as _, Result};
use aws_lc_rs::hmac;
use axum::http::HeaderValue;
use domain::{Clock, SystemClock};
use jiff::SignedDuration;
use resource_server::{known::Known, nonce};
use tokio::sync::watch;

use crate::{
    auth::{
        chain::Signer, challenge, csrf, device, legacy::Legacy, mail_link, seal::MasterKey, webauthn::RelyingParty,
    },
    cluster::Cluster,
    config::{Accounts, Config, Environment},
    documents::Documents,
    http::{cookies::Cookies, error::ApiError, limits::Limits},
    issuers::Issuers,
    metrics::Metrics,
    redis::Redis,
    service::{
        bell::Bell,
        client_proof,
        hashing::Hashing,
        keyring::Keyring,
        limiter::Counting,
        replay::Replay,
        second_factor,
        sign_up::Place,
        standing::Standing,
        throttle::{Throttle, Trier},
        tokens::Maker,
    },
    store::Database,
};

/// What every handler may ask for. Each extractor has a copy of its own, so one costs nothing.
#[derive(Debug, Clone)]
pub struct AppState(Arc<Services>);

impl Deref for AppState {
    type Target = Services;

    fn deref(&self) -> &Services {
        &self.0
    }
}

/// The parts of the service.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub struct Services {
    /// The database.
    pub database: Database,
    /// The same, as logins reach it while everybody else waits.
    pub logins: Database,
    /// The cluster, if there is one.
    pub cluster: Option<Cluster>,
    /// SHA-256 of what the cluster's API server shows when it tells who changed what, if it does.
    pub cluster_audit: Option<[u8; 32]>,
    /// What replicas share and may lose, if there is such a place.
    pub redis: Option<Arc<Redis>>,
    /// Where what counts once is judged.
    pub replay: Replay,
    /// The signatures of tokens that were found good.
    pub known: Arc<Known>,
    /// What is remembered of who is who.
    pub standing: Arc<Standing>,
    /// Whose tokens of the system before are taken, if any are.
    pub legacy: Option<Arc<Legacy>>,
    /// What clients publish of themselves.
    pub documents: Arc<Documents>,
    /// Issuers outside whose word on people counts.
    pub issuers: Arc<Issuers>,
    /// The signing keys.
    pub keyring: Arc<Keyring>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How much one client may ask for.
    pub limits: Arc<Limits>,
    /// How often a password may be tried.
    pub throttle: Arc<Throttle>,
    /// Where passwords are hashed.
    pub hashing: Arc<Hashing>,
    /// The issuer.
    pub issuer: Arc<str>,
    /// Whom passkeys are for, if the service's address has a name.
    pub relying_party: Option<Arc<RelyingParty>>,
    /// Where people meet the product.
    pub frontend: Arc<str>,
    /// Origins whose pages may call the service.
    pub allowed_origins: Arc<[HeaderValue]>,
    /// What all keys are derived from.
    pub master: MasterKey,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What signs the heads of audit chains.
    pub audit_signer: Arc<Signer>,
    /// The keys of messages that come back to us.
    pub keys: Arc<Keys>,
    /// How cookies are set.
    pub cookies: Cookies,
    /// Accounts.
    pub accounts: Accounts,
    /// The tenant whose the clients are that register themselves; none do without.
    pub registration_tenant: Option<Arc<str>>,
    /// How long an access token is valid.
    pub access_token: SignedDuration,
    /// Set when this process was asked to stop.
    pub stop: Arc<watch::Sender<bool>>,
    /// Rung when there is something for a worker to do.
    pub bell: Arc<Bell>,
}

/// The keys of messages that come back to us, each of one purpose.
#[derive(Debug)]
pub struct Keys {
    /// Challenges.
    pub challenge: hmac::Key,
    /// Nonces of proofs of possession.
    pub dpop_nonce: hmac::Key,
    /// What shows that a request was meant.
    pub csrf: hmac::Key,
    /// Cookies of browsers that somebody logged in from.
    pub device: hmac::Key,
    /// Links in mail.
    pub mail_link: hmac::Key,
    /// The ids of stand-in owners.
    pub shadow: hmac::Key,
}

impl AppState {
    /// Everything from the configuration, with the machine's clock.
    pub fn new(config: &Config, cluster: Option<Cluster>) -> Result<Self> {
        Self::assemble(
            config,
            Database::open(&config.database)?,
            cluster,
            Arc::new(SystemClock),
        )
    }

    /// Everything from the configuration, over this database, this cluster and this clock.
    pub fn assemble(
        config: &Config,
        database: Database,
        cluster: Option<Cluster>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let master = config.auth.master_key.clone();
        let keys = Keys {
            challenge: master.mac(challenge::PURPOSE),
            dpop_nonce: master.mac(nonce::PURPOSE),
            csrf: master.mac(csrf::KEY),
            device: master.mac(device::KEY),
            mail_link: master.mac(mail_link::KEY),
            shadow: config.auth.shadow_key.clone(),
        };
        let audit_signer = Arc::new(Signer::new(&master)?);
        let metrics = Metrics::default();
        let open = |url| Redis::open(url, metrics.redis_unanswered.clone());
        let redis = config
            .redis
            .url
            .as_ref()
            .map(open)
            .transpose()
            .context("redis.url")?
            .map(Arc::new);
        let counting = Counting {
            clock: clock.clone(),
            redis: redis.clone(),
        };
        let documents = Arc::new(Documents::new(clock.clone()));
        let secure = config.http.environment == Environment::Production || config.http.issuer.starts_with("https://");
        Ok(Self(Arc::new(Services {
            replay: Replay::new(database.clone(), redis.clone()),
            known: Arc::default(),
            standing: Arc::new(Standing::new(
                database.clone(),
                redis.clone(),
                documents.clone(),
                &config.http.issuer,
                metrics.standing_remembered.clone(),
            )),
            logins: database.reserved(),
            database,
            cluster,
            cluster_audit: config.cluster.audit_token,
            redis,
            metrics: Arc::new(metrics),
            audit_signer,
            issuers: Arc::new(Issuers::new(&config.outside, clock.clone()).context("outside.issuers")?),
            documents,
            legacy: config.legacy.clone().map(Arc::new),
            keyring: Arc::default(),
            limits: Arc::new(Limits::new(&config.limits, &counting)),
            throttle: Arc::new(Throttle::new(&config.limits, &counting)),
            hashing: Arc::default(),
            clock,
            relying_party: RelyingParty::new(&config.http.issuer, config.http.pages()).map(Arc::new),
            issuer: config.http.issuer.as_str().into(),
            frontend: config.http.frontend.as_str().into(),
            allowed_origins: config.http.allowed_origins.clone().into(),
            master,
            keys: Arc::new(keys),
            cookies: Cookies { secure },
            accounts: config.accounts.clone(),
            registration_tenant: config.auth.registration_tenant.as_deref().map(Arc::from),
            access_token: config.auth.access_token,
            stop: Arc::new(watch::channel(false).0),
            bell: Arc::default(),
        })))
    }

    /// The same beside a cluster.
    #[cfg(test)]
    pub fn beside(&self, cluster: Cluster) -> Self {
        Self(Arc::new(Services {
            cluster: Some(cluster),
            ..(*self.0).clone()
        }))
    }

    /// What accounts are opened and changed with.
    pub fn accounts_place(&self) -> Place<'_> {
        Place {
            database: &self.database,
            hashing: &self.hashing,
            link_key: &self.keys.mail_link,
        }
    }

    /// What second factors of who is logged in are judged with.
    pub fn second_factors(&self) -> second_factor::Judge<'_> {
        second_factor::Judge {
            database: &self.database,
            master: &self.master,
            throttle: &self.throttle,
            trier: Trier::Oneself,
        }
    }

    /// The cluster, without which some routes are of no use.
    pub fn cluster(&self) -> Result<&Cluster, ApiError> {
        let none = || ApiError::Unavailable("there is no cluster".to_owned());
        self.cluster.as_ref().ok_or_else(none)
    }

    /// Waits until this process is asked to stop.
    pub async fn stopping(&self) {
        // The sender is in this state, so it is not dropped before.
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
    }

    /// Whether this process was asked to stop.
    pub fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// What clients are judged with.
    pub fn clients(&self) -> client_proof::Judge<'_> {
        client_proof::Judge {
            database: &self.database,
            standing: &self.standing,
            documents: &self.documents,
            issuer: &self.issuer,
        }
    }

    /// What tokens are made with.
    pub fn tokens(&self) -> Maker<'_> {
        Maker {
            database: &self.database,
            standing: &self.standing,
            replay: &self.replay,
            keyring: &self.keyring,
            challenge_key: &self.keys.challenge,
            issuer: &self.issuer,
            lifetime: self.access_token,
        }
    }
}
