//! One file an operation: what it reads and answers, its documentation, its handler.

pub mod agents {
    //! Agents.
    pub mod challenge;
    pub mod register;
}
pub mod me {
    //! Who asks.
    pub mod get;
    pub mod keys;
}
pub mod oauth {
    //! RFC 6749 and what builds on it: errors here are the RFC's, not problem details.
    pub mod error;
    pub mod token;
}
pub mod well_known {
    //! What anybody may read of the service itself.
    pub mod jwks;
    pub mod openapi;
}
