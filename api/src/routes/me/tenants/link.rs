//! `POST /v1/me/tenants`.

use axum::{extract::State, response::Response};
use crds::tenant::{Owner, OwnerKind, Role};
use domain::TenantName;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    cluster::{Subject, is_ending},
    http::{
        caller::Person,
        error::{ApiError, Problem},
        once::{IdempotencyKey, Once},
        request_id::RequestId,
    },
    routes::tenants::{
        Tenant,
        create::is_reserved,
        linked::{self, Linking},
    },
    service::members::By,
};

/// The longest token that the cluster is asked about.
const LONGEST: usize = 16 * 1024;

/// A tenant of the cluster, and what shows that one owns it there.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnTenant {
    /// The Tenant's name.
    #[schema(example = "research", min_length = 1, max_length = 56)]
    name: String,
    /// The bearer token by which the cluster's API server knows you: `kubectl config view --minify --raw -o jsonpath='{.users[0].user.token}'`, or what the
    /// plugin of your kubeconfig gives. The API server is asked once whose it is (`TokenReview`); it is not kept.
    #[schema(example = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.eyJzdWIiOiJkYW5hIn0.c2lnbmF0dXJl", format = Password, max_length = 16384)]
    kubernetes_token: String,
}

impl std::fmt::Debug for OwnTenant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OwnTenant")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Link a tenant of mine that was made with kubectl.
///
/// For who is in the Tenant's `spec.owners`, as a user or by a group, with the role `admin`. You are its owner here from then on, and invite others;
/// what runs in it stays as it is. Who deletes it here deletes it in the cluster.
#[utoipa::path(
    post,
    path = "/v1/me/tenants",
    tag = "tenants",
    params(IdempotencyKey),
    request_body = OwnTenant,
    responses(
        (status = 201, description = "The tenant is linked.", body = Tenant),
        (status = 404, description = "There is no such Tenant, or you are none of its owners.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is linked already (`name_taken`), or you own twenty (`too_many_tenants`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(("session" = []))
)]
pub async fn link(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    Person(login): Person,
    Once { body: wanted, claim }: Once<OwnTenant>,
) -> Result<Response, ApiError> {
    let name = TenantName::parse(&wanted.name).map_err(|error| ApiError::invalid("name", error.to_string()))?;
    let token = wanted.kubernetes_token.as_str();
    // What no header could carry is no bearer token.
    if token.is_empty() || token.len() > LONGEST || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ApiError::invalid(
            "kubernetes_token",
            format!("send the bearer token of your kubeconfig, {LONGEST} visible ASCII characters at most"),
        ));
    }
    let overseer = login.overseer();
    state.throttle.review(token).await?;
    let cluster = state.cluster()?;
    let subject = cluster.subject(token).await?.ok_or_else(|| {
        ApiError::invalid(
            "kubernetes_token",
            "the cluster's API server does not know it: send one that has not ended",
        )
    })?;
    let found = cluster
        .tenant(name.as_str())
        .await?
        .filter(|tenant| !is_reserved(&name) && !is_ending(tenant));
    let resource = found.filter(|tenant| tenant.spec.owners.iter().any(|owner| is_admin(owner, &subject)));
    let linking = Linking {
        name: &name,
        resource: &resource.ok_or(ApiError::NotFound)?,
        owner: overseer,
        by: By::person(overseer, &request_id),
    };
    linked::link(&state, linking, claim).await
}

fn is_admin(owner: &Owner, subject: &Subject) -> bool {
    let is = match owner.kind {
        OwnerKind::User => owner.name == subject.user,
        OwnerKind::Group => subject.groups.contains(&owner.name),
    };
    is && owner.role == Role::Admin
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_an_admin_by_name_or_by_group() {
        let subject = Subject {
            user: "dana".to_owned(),
            groups: vec!["research".to_owned()],
        };
        let owner = |kind, name: &str, role| Owner {
            kind,
            name: name.to_owned(),
            role,
        };
        let cases = [
            (OwnerKind::User, "dana", Role::Admin, true),
            (OwnerKind::Group, "research", Role::Admin, true),
            (OwnerKind::User, "dana", Role::Developer, false),
            (OwnerKind::Group, "research", Role::Viewer, false),
            (OwnerKind::User, "research", Role::Admin, false),
            (OwnerKind::Group, "dana", Role::Admin, false),
        ];
        for (kind, name, role, wanted) in cases {
            assert_eq!(
                is_admin(&owner(kind, name, role), &subject),
                wanted,
                "{kind:?} {name} {role:?}"
            );
        }
    }
}
