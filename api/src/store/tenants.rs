//! Tenants.

use domain::{OverseerId, TenantId};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgPool;
use uuid::Uuid;

use crate::{
    auth::{rights::Role, vouched::Organisation},
    store::{Scope as _, StoreError, TenantTransaction},
};

/// The tenant of agents that registered themselves; the migrations make it.
pub const SHADOW: TenantId = TenantId::from_u128(0x8000_8000_0000_0000_0001);

/// What a tenant is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Agents that registered themselves.
    Shadow,
    /// One person.
    Personal,
    /// Several people.
    Team,
}

impl Kind {
    /// As it is stored and answered.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Shadow => "shadow",
            Self::Personal => "personal",
            Self::Team => "team",
        }
    }

    fn parse(text: &str) -> Result<Self, StoreError> {
        match text {
            "shadow" => Ok(Self::Shadow),
            "personal" => Ok(Self::Personal),
            "team" => Ok(Self::Team),
            _ => Err(StoreError::Row("tenants")),
        }
    }
}

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// Its name, which is also its resource's.
    pub name: String,
    /// What people call it, if they call it something else.
    pub display_name: Option<String>,
    /// What it is for.
    pub kind: Kind,
    /// Whose limits apply.
    pub plan: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// The resource that was made for it.
    pub resource: Option<Uuid>,
    /// Why there is none.
    pub resource_error: Option<String>,
    /// The organisation that it is to an issuer outside.
    pub organisation: Option<Outside>,
    /// Whether it has ended.
    pub deleted: bool,
}

/// An organisation of an issuer outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outside {
    /// The issuer.
    pub issuer: String,
    /// The issuer's id of it.
    pub id: String,
}

/// A new tenant.
#[derive(Debug, Clone)]
pub struct NewTenant<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it is for.
    pub kind: Kind,
    /// Whose limits apply.
    pub plan: &'a str,
    /// Now.
    pub at: Timestamp,
}

/// A tenant as one of its members sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    /// The tenant.
    pub tenant: TenantId,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub kind: Kind,
    /// Whose limits apply.
    pub plan: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// What the member is.
    pub role: Role,
}

/// Stores the transaction's tenant; false if the name is taken.
pub async fn insert(tx: &mut TenantTransaction, new: &NewTenant<'_>) -> Result<bool, StoreError> {
    let stored = sqlx::query!(
        r#"
        INSERT INTO tenants (id, name, kind, plan, created_at)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (name) DO NOTHING
        "#,
        tx.tenant.uuid(),
        new.name,
        new.kind.as_str(),
        new.plan,
        new.at.to_sqlx() as _,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("store a tenant", source))?;
    Ok(stored.rows_affected() == 1)
}

/// The transaction's tenant. Nobody else changes it until the transaction ends, if it is locked.
pub async fn find(tx: &mut TenantTransaction, lock: bool) -> Result<Option<Tenant>, StoreError> {
    if lock {
        sqlx::query!("SELECT id FROM tenants WHERE id = $1 FOR UPDATE", tx.tenant.uuid())
            .fetch_optional(tx.connection())
            .await
            .map_err(|source| StoreError::new("wait for a tenant", source))?;
    }
    let row = sqlx::query!(
        r#"
        SELECT
            name,
            display_name,
            kind,
            plan,
            created_at AS "created_at: jiff_sqlx::Timestamp",
            resource_uid,
            resource_error,
            organisation_issuer,
            organisation_id,
            deleted_at IS NOT NULL AS "deleted!"
        FROM tenants
        WHERE id = $1
        "#,
        tx.tenant.uuid(),
    )
    .fetch_optional(tx.connection())
    .await
    .map_err(|source| StoreError::new("read a tenant", source))?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Tenant {
        id: tx.tenant,
        name: row.name,
        display_name: row.display_name,
        kind: Kind::parse(&row.kind)?,
        plan: row.plan,
        created_at: row.created_at.to_jiff(),
        resource: row.resource_uid,
        resource_error: row.resource_error,
        organisation: row
            .organisation_issuer
            .zip(row.organisation_id)
            .map(|(issuer, id)| Outside { issuer, id }),
        deleted: row.deleted,
    }))
}

/// Changes what people call the transaction's tenant.
pub async fn set_display_name(tx: &mut TenantTransaction, name: Option<&str>) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE tenants SET display_name = $2 WHERE id = $1",
        tx.tenant.uuid(),
        name,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("change a tenant's display name", source))?;
    Ok(())
}

/// Remembers the resource that was made for the transaction's tenant, or why none was.
pub async fn set_resource(
    tx: &mut TenantTransaction,
    resource: Option<Uuid>,
    error: Option<&str>,
) -> Result<(), StoreError> {
    let short: Option<String> = error.map(|text| text.chars().take(1000).collect());
    sqlx::query!(
        r#"
        UPDATE tenants
        SET resource_uid = coalesce(resource_uid, $2), resource_error = $3
        WHERE id = $1
        "#,
        tx.tenant.uuid(),
        resource,
        short,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("remember a tenant's resource", source))?;
    Ok(())
}

/// Ends the transaction's tenant: nobody finds it any more, and its name stays taken until its resource is gone.
pub async fn delete(tx: &mut TenantTransaction, at: Timestamp) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE tenants SET deleted_at = $2 WHERE id = $1 AND deleted_at IS NULL",
        tx.tenant.uuid(),
        at.to_sqlx() as _,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("end a tenant", source))?;
    Ok(())
}

/// The tenants of a person that have not ended, by name.
pub async fn of_overseer(pool: &PgPool, overseer: OverseerId) -> Result<Vec<Seat>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT
            tenant_id AS "tenant_id!",
            name AS "name!",
            kind AS "kind!",
            plan AS "plan!",
            created_at AS "created_at!: jiff_sqlx::Timestamp",
            role AS "role!"
        FROM lookup.tenants_of_overseer($1)
        ORDER BY name
        "#,
        overseer.uuid(),
    )
    .fetch_all(pool)
    .await
    .map_err(|source| StoreError::new("read a person's tenants", source))?;
    rows.into_iter()
        .map(|row| {
            Ok(Seat {
                tenant: TenantId::of_uuid(row.tenant_id),
                name: row.name,
                kind: Kind::parse(&row.kind)?,
                plan: row.plan,
                created_at: row.created_at.to_jiff(),
                role: Role::parse(&row.role).ok_or(StoreError::Row("memberships"))?,
            })
        })
        .collect()
}

/// The tenant that an issuer's organisation is, if it has not ended, as whoever acts in the organisation sees it.
pub async fn of_organisation(
    pool: &PgPool,
    issuer: &str,
    organisation: &Organisation,
) -> Result<Option<(Named, Seat)>, StoreError> {
    let row = sqlx::query!(
        r#"
        SELECT
            tenant_id AS "tenant_id!",
            name AS "name!",
            kind AS "kind!",
            plan AS "plan!",
            created_at AS "created_at!: jiff_sqlx::Timestamp",
            runs_version AS "runs_version!"
        FROM lookup.tenant_of_organisation($1, $2)
        "#,
        issuer,
        organisation.id,
    )
    .fetch_optional(pool)
    .await
    .map_err(|source| StoreError::new("look for an organisation's tenant", source))?;
    let Some(row) = row else { return Ok(None) };
    let tenant = TenantId::of_uuid(row.tenant_id);
    let named = Named {
        tenant,
        runs_version: row.runs_version.cast_unsigned(),
    };
    let seat = Seat {
        tenant,
        name: row.name,
        kind: Kind::parse(&row.kind)?,
        plan: row.plan,
        created_at: row.created_at.to_jiff(),
        role: organisation.role,
    };
    Ok(Some((named, seat)))
}

/// Makes the transaction's tenant an issuer's organisation, or none any more; false if the organisation is another tenant.
pub async fn set_organisation(tx: &mut TenantTransaction, organisation: Option<&Outside>) -> Result<bool, StoreError> {
    let stored = sqlx::query!(
        "UPDATE tenants SET organisation_issuer = $2, organisation_id = $3 WHERE id = $1",
        tx.tenant.uuid(),
        organisation.map(|outside| &outside.issuer),
        organisation.map(|outside| &outside.id),
    )
    .execute(tx.connection())
    .await;
    match stored {
        Ok(_) => Ok(true),
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Ok(false),
        Err(source) => Err(StoreError::new("remember a tenant's organisation", source)),
    }
}

/// What a request that names a tenant begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named {
    /// The tenant.
    pub tenant: TenantId,
    /// The newest version of a run that a write through the API gave.
    pub runs_version: u64,
}

/// The tenant of a name, if it has not ended.
pub async fn find_by_name(pool: &PgPool, name: &str) -> Result<Option<Named>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT tenant_id AS "tenant_id!", runs_version AS "runs_version!" FROM lookup.tenant_named($1)"#,
        name
    )
    .fetch_optional(pool)
    .await
    .map_err(|source| StoreError::new("look for a tenant", source))?;
    Ok(row.map(|row| Named {
        tenant: TenantId::of_uuid(row.tenant_id),
        runs_version: row.runs_version.cast_unsigned(),
    }))
}

/// The tenant of a name, if it has not ended and the person belongs to it, and as what.
pub async fn find_seat(pool: &PgPool, overseer: OverseerId, name: &str) -> Result<Option<(Named, Role)>, StoreError> {
    let row = sqlx::query!(
        r#"
        SELECT tenant_id AS "tenant_id!", role AS "role!", runs_version AS "runs_version!"
        FROM lookup.seat_of_overseer($1, $2)
        "#,
        overseer.uuid(),
        name
    )
    .fetch_optional(pool)
    .await
    .map_err(|source| StoreError::new("look for a person's seat", source))?;
    let Some(row) = row else { return Ok(None) };
    let named = Named {
        tenant: TenantId::of_uuid(row.tenant_id),
        runs_version: row.runs_version.cast_unsigned(),
    };
    Ok(Some((
        named,
        Role::parse(&row.role).ok_or(StoreError::Row("memberships"))?,
    )))
}

/// Remembers the version of a run that a write gave. What is newer stays.
pub async fn note_runs_version(tx: &mut TenantTransaction, version: u64) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE tenants SET runs_version = $2 WHERE id = $1 AND runs_version < $2",
        tx.tenant.uuid(),
        i64::try_from(version).unwrap_or(i64::MAX),
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("remember a run's version", source))?;
    Ok(())
}
