//! Flags, environment and the platform file: read and checked as a whole before anything starts.

pub mod flags;
pub mod platform;

pub use flags::Flags;
pub use platform::{InjectionMode, Plan, Platform};
