//! What can go wrong with the database.

use std::sync::Arc;

/// Why something was not read or stored.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// PostgreSQL refused, or was not there.
    #[error("could not {attempt}")]
    Sql {
        /// What was tried.
        attempt: &'static str,
        /// Why it failed.
        #[source]
        source: sqlx::Error,
    },
    /// The migrations and the database do not go together.
    #[error("could not {attempt}")]
    Migration {
        /// What was tried.
        attempt: &'static str,
        /// Why it failed.
        #[source]
        source: sqlx::migrate::MigrateError,
    },
    /// The schema is older than this release needs.
    #[error("the database lacks the migration {0}; run `pinfold-api migrate`")]
    Outdated(i64),
    /// The service would work under a role that row-level security does not bind.
    #[error(
        "the role pinfold_app is a superuser, has BYPASSRLS or owns tables; row-level security does not bind it: \
         take that from it"
    )]
    Role,
    /// What was sealed does not open.
    #[error(transparent)]
    Sealed(#[from] crate::auth::seal::NotOurs),
    /// No key or id can be made.
    #[error(transparent)]
    Random(#[from] crate::auth::random::NoRandom),
    /// Several were stored together, and none was.
    #[error(transparent)]
    Together(Arc<StoreError>),
    /// What would have said whether it counts did not.
    #[error("Redis did not say whether it was used before")]
    Silent,
    /// Whoever was storing it ended.
    #[error("who was storing it ended before it was stored")]
    Ended,
    /// A row says something that this release does not understand.
    #[error("a row of {0} cannot be read")]
    Row(&'static str),
}

impl StoreError {
    /// Something that was tried failed.
    pub fn new(attempt: &'static str, source: sqlx::Error) -> Self {
        Self::Sql { attempt, source }
    }

    /// Whether the same thing may work a little later: the database is away, starting, or has no room.
    pub fn is_transient(&self) -> bool {
        let source = match self {
            Self::Sql { source, .. } => source,
            Self::Together(error) => return error.is_transient(),
            Self::Silent | Self::Ended => return true,
            _ => return false,
        };
        match source {
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) | sqlx::Error::Tls(_) => true,
            // Classes of PostgreSQL's appendix A: connections, lack of resources, intervention, conflicts.
            sqlx::Error::Database(error) => error
                .code()
                .is_some_and(|code| ["08", "53", "57", "40"].iter().any(|class| code.starts_with(class))),
            _ => false,
        }
    }
}
