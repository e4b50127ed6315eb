//! Everything that touches the API server, apart from the watches.

pub mod apply;
pub mod brake;
pub mod client;
pub mod event;
pub mod lease;
pub mod meta;
pub mod server_side;
pub mod settled;
pub mod status;
