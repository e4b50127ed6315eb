//! The only SQL. Each family of tables has a file of functions that take a transaction; rows stay private to it.

use std::time::Duration;

use domain::TenantId;
use secrecy::ExposeSecret as _;
use sqlx::{
    Connection as _, PgConnection, PgPool, Postgres, Transaction,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::config;

pub mod accounts;
pub mod agent_keys;
pub mod agents;
pub mod api_keys;
pub mod assertions;
pub mod audit;
pub mod audit_chain;
pub mod authorization_requests;
pub mod changes;
pub mod claims;
pub mod client_blocks;
pub mod clients;
pub mod cluster_changes;
pub mod cluster_resources;
pub mod codes;
pub mod consents;
pub mod devices;
mod error;
pub mod grants;
pub mod idempotency;
pub mod identities;
pub mod invitations;
pub mod jobs;
pub mod mail_links;
pub mod memberships;
pub mod migrations;
pub mod oversights;
pub mod passkeys;
pub mod refresh_tokens;
pub mod replay;
pub mod second_factors;
pub mod sessions;
pub mod signing_keys;
pub mod tenants;

pub use error::StoreError;

/// How long a request waits for a connection before it is told to come again.
const ACQUIRE: Duration = Duration::from_millis(500);

/// How long a command that somebody typed waits for one.
const COMMAND: Duration = Duration::from_secs(10);

/// A connection that was used a shorter time ago is taken for a live one. Of one that was not, a question more asks.
const FRESH: Duration = Duration::from_secs(1);

/// How long a statement may take.
const STATEMENT: &str = "5s";

/// How long a transaction may lie idle: a request that was given up leaves none behind.
const IDLE_TRANSACTION: &str = "5s";

/// The database, seen through the role that row-level security binds.
#[derive(Debug, Clone)]
pub struct Database {
    pool: PgPool,
    /// For those who must get in while everybody else waits.
    reserve: PgPool,
}

/// How many connections a pool has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connections {
    /// That nobody uses.
    pub idle: i64,
    /// That somebody uses.
    pub used: i64,
}

/// A transaction that sees the rows of one tenant.
#[derive(Debug)]
pub struct TenantTransaction {
    inner: Transaction<'static, Postgres>,
    tenant: TenantId,
}

/// A transaction that sees no tenant's rows.
#[derive(Debug)]
pub struct PlatformTransaction {
    inner: Transaction<'static, Postgres>,
}

/// A transaction of which only the caller's caller knows whether it is a tenant's.
#[derive(Debug)]
pub struct AnyTransaction {
    inner: Transaction<'static, Postgres>,
    tenant: Option<TenantId>,
}

impl AnyTransaction {
    /// Stores nothing. A transaction that is only dropped keeps its locks for a while.
    pub async fn undo(self) -> Result<(), StoreError> {
        let undone = self.inner.rollback().await;
        undone.map_err(|source| StoreError::new("undo a transaction", source))
    }
}

/// A transaction, a tenant's or none's: what tables that belong to no tenant are read and written in.
pub trait Scope: Send {
    /// The connection that it goes over.
    fn connection(&mut self) -> &mut PgConnection;
    /// Whose rows it sees.
    fn tenant(&self) -> Option<TenantId>;
    /// Stores everything.
    fn commit(self) -> impl Future<Output = Result<(), StoreError>> + Send;
}

impl Scope for TenantTransaction {
    fn connection(&mut self) -> &mut PgConnection {
        &mut self.inner
    }

    fn tenant(&self) -> Option<TenantId> {
        Some(self.tenant)
    }

    async fn commit(self) -> Result<(), StoreError> {
        commit(self.inner).await
    }
}

impl Scope for PlatformTransaction {
    fn connection(&mut self) -> &mut PgConnection {
        &mut self.inner
    }

    fn tenant(&self) -> Option<TenantId> {
        None
    }

    async fn commit(self) -> Result<(), StoreError> {
        commit(self.inner).await
    }
}

impl Scope for AnyTransaction {
    fn connection(&mut self) -> &mut PgConnection {
        &mut self.inner
    }

    fn tenant(&self) -> Option<TenantId> {
        self.tenant
    }

    async fn commit(self) -> Result<(), StoreError> {
        commit(self.inner).await
    }
}

impl Database {
    /// Makes the pool. Nothing is connected yet: a database that is away makes requests fail, not the start.
    pub fn open(config: &config::Database) -> Result<Self, StoreError> {
        Self::with_patience(config, ACQUIRE)
    }

    /// The same for a command, which is not told to come again.
    pub fn open_for_command(config: &config::Database) -> Result<Self, StoreError> {
        Self::with_patience(config, COMMAND)
    }

    fn with_patience(config: &config::Database, patience: Duration) -> Result<Self, StoreError> {
        // A fifth of them, and at least one.
        let reserved = (config.connections / 5).max(1);
        let general = config.connections.saturating_sub(reserved).max(1);
        let options: PgConnectOptions = config
            .url
            .expose_secret()
            .parse()
            .map_err(|source| StoreError::new("read the database's address", source))?;
        let options = options.application_name("pinfold-api").options([
            ("statement_timeout", STATEMENT),
            ("idle_in_transaction_session_timeout", IDLE_TRANSACTION),
        ]);
        let pool = |connections| {
            PgPoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(patience)
                .test_before_acquire(false)
                .before_acquire(|connection, known| {
                    Box::pin(async move {
                        if known.idle_for > FRESH {
                            connection.ping().await?;
                        }
                        Ok(true)
                    })
                })
                .after_connect(|connection, _| {
                    Box::pin(async move {
                        sqlx::query!("SET ROLE pinfold_app").execute(connection).await?;
                        Ok(())
                    })
                })
                .connect_lazy_with(options.clone())
        };
        Ok(Self {
            pool: pool(general),
            reserve: pool(reserved),
        })
    }

    /// The same through the connections that are kept for logins.
    pub fn reserved(&self) -> Self {
        Self {
            pool: self.reserve.clone(),
            reserve: self.reserve.clone(),
        }
    }

    /// A pool that somebody else made, of the role `pinfold_app`.
    #[cfg(test)]
    pub fn of(pool: PgPool) -> Self {
        Self {
            reserve: pool.clone(),
            pool,
        }
    }

    /// A transaction of one tenant; row-level security hides all others'.
    pub async fn tenant(&self, tenant: TenantId) -> Result<TenantTransaction, StoreError> {
        let mut inner = self.begin().await?;
        choose(&mut inner, tenant).await?;
        Ok(TenantTransaction { inner, tenant })
    }

    /// A transaction that sees no tenant's rows.
    pub async fn platform(&self) -> Result<PlatformTransaction, StoreError> {
        let inner = self.begin().await?;
        Ok(PlatformTransaction { inner })
    }

    async fn begin(&self) -> Result<Transaction<'static, Postgres>, StoreError> {
        self.pool
            .begin()
            .await
            .map_err(|source| StoreError::new("begin a transaction", source))
    }

    /// For one statement that needs no transaction.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// A transaction of this tenant, or of none.
    pub async fn any(&self, tenant: Option<TenantId>) -> Result<AnyTransaction, StoreError> {
        let inner = match tenant {
            Some(tenant) => self.tenant(tenant).await?.inner,
            None => self.platform().await?.inner,
        };
        Ok(AnyTransaction { inner, tenant })
    }

    /// How many connections there are at the moment.
    pub fn connections(&self) -> Connections {
        let pools = [&self.pool, &self.reserve];
        let idle = pools
            .map(|pool| i64::try_from(pool.num_idle()).unwrap_or(0))
            .iter()
            .sum();
        let used = pools
            .map(|pool| i64::from(pool.size()))
            .iter()
            .sum::<i64>()
            .saturating_sub(idle);
        Connections { idle, used }
    }

    /// Checks that the role cannot step around row-level security, and that the schema is the one this release knows.
    pub async fn check(&self) -> Result<(), StoreError> {
        // A pool tries again and again; a connection of its own says why it cannot be made.
        let mut connection = PgConnection::connect_with(&self.pool.connect_options())
            .await
            .map_err(|source| StoreError::new("connect", source))?;
        sqlx::query!("SET ROLE pinfold_app")
            .execute(&mut connection)
            .await
            .map_err(|source| {
                StoreError::new(
                    "take on the role pinfold_app (GRANT pinfold_app TO the service's user)",
                    source,
                )
            })?;
        drop(connection);
        let role = sqlx::query!(
            r#"
            SELECT
                rolsuper OR rolbypassrls AS "unbound!",
                EXISTS (
                    SELECT FROM pg_class
                    WHERE relowner = r.oid AND relnamespace = 'public'::regnamespace AND relkind = 'r'
                ) AS "owner!"
            FROM pg_roles AS r
            WHERE rolname = current_user
            "#
        )
        .fetch_one(&self.pool)
        .await
        .map_err(|source| StoreError::new("look at the database role", source))?;
        if role.unbound || role.owner {
            return Err(StoreError::Role);
        }
        migrations::check(&self.pool).await
    }
}

async fn choose(connection: &mut PgConnection, tenant: TenantId) -> Result<(), StoreError> {
    sqlx::query_scalar!("SELECT set_config('pinfold.tenant', $1, true)", tenant.to_string())
        .fetch_one(connection)
        .await
        .map_err(|source| StoreError::new("choose the tenant", source))?;
    Ok(())
}

async fn commit(inner: Transaction<'static, Postgres>) -> Result<(), StoreError> {
    inner
        .commit()
        .await
        .map_err(|source| StoreError::new("commit a transaction", source))
}

impl TenantTransaction {
    /// Whose rows it sees.
    pub fn id(&self) -> TenantId {
        self.tenant
    }

    /// Goes on as a transaction of another tenant: what moves from one to the other is stored with both or with neither.
    pub async fn go_on_in(mut self, tenant: TenantId) -> Result<Self, StoreError> {
        choose(&mut self.inner, tenant).await?;
        Ok(Self { tenant, ..self })
    }

    /// Stores everything.
    pub async fn commit(self) -> Result<(), StoreError> {
        commit(self.inner).await
    }
}

impl PlatformTransaction {
    /// Goes on as a transaction of a tenant.
    pub async fn go_on_in(mut self, tenant: TenantId) -> Result<TenantTransaction, StoreError> {
        choose(&mut self.inner, tenant).await?;
        let Self { inner } = self;
        Ok(TenantTransaction { inner, tenant })
    }

    /// Stores everything.
    pub async fn commit(self) -> Result<(), StoreError> {
        commit(self.inner).await
    }
}

#[cfg(test)]
mod tests;
