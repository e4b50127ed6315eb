//! One file an operation: what it reads and answers, its documentation, its handler.

pub mod admin {
    //! What those do who run the platform.
    pub mod overseers;
    pub mod tenants;
}
pub mod agents {
    //! Agents.
    pub mod challenge;
    pub mod register;
}
pub mod claims {
    //! Agents that nobody owns yet, for those who have a code.
    pub mod preview;
}
pub mod docs;
pub mod invitations {
    //! Invitations, for those who have one.
    pub mod accept;
}
pub mod me {
    //! Who asks.
    pub mod api_keys;
    pub mod claim_code;
    pub mod client_blocks;
    pub mod consents;
    pub mod delete;
    pub mod get;
    pub mod grants;
    pub mod identities;
    pub mod keys;
    pub mod passkeys;
    pub mod password;
    pub mod recovery_codes;
    pub mod sessions;
    pub mod tenants;
    pub mod totp;
}
pub mod oauth {
    //! RFC 6749 and what builds on it: errors here are the RFC's, not problem details.
    pub mod client;
    pub mod device_authorization;
    pub mod error;
    pub mod floor;
    pub mod form;
    pub mod introspect;
    pub mod par;
    pub mod possession;
    pub mod register;
    pub mod revoke;
    pub mod shown;
    pub mod token;
    pub mod userinfo;
}
pub mod pages;
pub mod password_resets {
    //! Choosing another password with a link.
    pub mod ask;
    pub mod complete;
}
pub mod sessions;
pub mod sign_ups {
    //! Opening an account.
    pub mod begin;
    pub mod complete;
}
pub mod tenants;
pub mod webhooks {
    //! For services that tell this one something.
    pub mod kubernetes_audit;
}
pub mod well_known {
    //! What anybody may read of the service itself.
    pub mod jwks;
    pub mod oauth_metadata;
    pub mod openapi;
}
