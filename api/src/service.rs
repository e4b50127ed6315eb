//! What the API does, apart from HTTP: functions that take a transaction, a clock's moment and plain values.

pub mod agent_keys;
pub mod agents;
pub mod api_keys;
pub mod audit;
pub mod bell;
pub mod blocks;
pub mod claims;
pub mod farewell;
pub mod hashing;
pub mod keyring;
pub mod limiter;
pub mod login;
pub mod members;
pub mod organisations;
pub mod outside;
pub mod oversight;
pub mod passwords;
pub mod registration;
pub mod replay;
pub mod second_factor;
pub mod sessions;
pub mod sign_up;
pub mod tenants;
pub mod throttle;
pub mod tokens;
