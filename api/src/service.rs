//! What the API does, apart from HTTP: functions that take a transaction, a clock's moment and plain values.

pub mod agent_keys;
pub mod keyring;
pub mod registration;
pub mod tokens;
