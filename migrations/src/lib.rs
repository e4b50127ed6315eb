//! The schema's changes, as they are compiled into the programs that apply or expect them. Apart from the API because
//! the API's queries are checked against a database that has them.

use sqlx::migrate::Migrator;

/// All of them, in order.
pub static MIGRATOR: Migrator = sqlx::migrate!("../migrations");
