//! Tenants.

use domain::TenantId;

/// The tenant of agents that registered themselves; the migrations make it.
pub const SHADOW: TenantId = TenantId::from_u128(0x8000_8000_0000_0000_0001);
