//! What a person agreed to that OAuth clients do.

pub mod list;
pub mod withdraw;
