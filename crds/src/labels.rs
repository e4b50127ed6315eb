//! Label, annotation and finalizer keys. Everything below `pinfold.dev/` is reserved: the admission policy
//! refuses these keys on what anybody but the operator writes in a tenant's namespace.

/// What all reserved keys begin with.
pub const PREFIX: &str = "pinfold.dev/";

/// `app.kubernetes.io/managed-by`, always [`MANAGER`] on what the operator makes.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// The value of [`MANAGED_BY`].
pub const MANAGER: &str = "pinfold";

/// The name of the tenant that an object belongs to.
pub const TENANT: &str = "pinfold.dev/tenant";

/// The UID of the tenant that a namespace belongs to (annotation): a namespace of another UID is never adopted.
pub const TENANT_UID: &str = "pinfold.dev/tenant-uid";

/// The name of the agent that an object belongs to.
pub const AGENT: &str = "pinfold.dev/agent";

/// The name of the run that a pod belongs to.
pub const RUN: &str = "pinfold.dev/run";

/// On a run's pod whose template demands a user namespace of its own; the admission policy refuses such a pod without one.
pub const USER_NAMESPACE: &str = "pinfold.dev/user-namespace";

/// The value of [`USER_NAMESPACE`].
pub const REQUIRED: &str = "required";

/// On a pod that proves itself to the control-plane API by a token of its own: it may reach the API, and has that volume.
pub const WORKLOAD_IDENTITY: &str = "pinfold.dev/workload-identity";

/// The value of [`WORKLOAD_IDENTITY`].
pub const ENABLED: &str = "enabled";

/// What part of Pinfold an object is: see [`component`].
pub const COMPONENT: &str = "pinfold.dev/component";

/// The digest of the desired object (annotation): tells a settled object from one that must be applied again.
pub const DESIRED: &str = "pinfold.dev/desired";

/// On an Agent (annotation): the UID of the lost identity Secret that may be replaced by a new key.
pub const REPLACE_IDENTITY: &str = "pinfold.dev/replace-identity";

/// On a Tenant (annotation): how many objects the deletion brake may let go (see the runbook).
pub const CONFIRM_DELETIONS: &str = "pinfold.dev/confirm-deletions";

/// On what the API made for somebody (annotation): whom, as `agent/<id>` or `overseer/<id>`.
pub const PRINCIPAL: &str = "pinfold.dev/principal";

/// On what the API made for somebody (annotation): in which request.
pub const REQUEST_ID: &str = "pinfold.dev/request-id";

/// On what the API made or changed for somebody (annotation): which of its changes was the last. A change that leaves it as it was is
/// somebody else's.
pub const CHANGE: &str = "pinfold.dev/change";

/// On what the API made (annotation): the operation that made it, so that doing it twice makes one.
pub const OPERATION: &str = "pinfold.dev/operation";

/// On a Tenant (annotation): the signed end of its audit, outside of the database that the audit is in.
pub const AUDIT_HEAD: &str = "pinfold.dev/audit-head";

/// Holds a run's pod until its result is stored.
pub const RESULT_FINALIZER: &str = "pinfold.dev/result";

/// Holds a Tenant until its namespace is deleted or let go.
pub const NAMESPACE_FINALIZER: &str = "pinfold.dev/namespace";

/// The prefix of every Secret that Pinfold makes; resources may not refer to such a Secret.
pub const RESERVED_SECRET_PREFIX: &str = "pinfold-";

/// The values of [`COMPONENT`].
pub mod component {
    /// Pods and Services of an Agent.
    pub const AGENT: &str = "agent";
    /// Pods of a `SandboxRun`.
    pub const SANDBOX: &str = "sandbox";
    /// What a tenant's namespace consists of.
    pub const TENANT: &str = "tenant";
}
