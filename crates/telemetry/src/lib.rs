//! What every binary starts with: logs, a port for the platform's questions, and the way down.

pub mod admin;
pub mod logging;
pub mod shutdown;
