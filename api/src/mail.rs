//! Mail: what it says, and how it leaves.

mod text;
mod transport;

pub use text::{Letter, account_exists, invitation, password_changed, password_reset, second_factor_changed, sign_up};
pub use transport::{MailError, Mailer};
