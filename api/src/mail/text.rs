//! What mail says. Plain text: a link, until when it is good, and what to do if it was not wanted.

use jiff::Timestamp;

use crate::auth::rights::Role;

/// A letter without its sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// To whom.
    pub to: String,
    /// About what.
    pub subject: String,
    /// What it says.
    pub body: String,
}

/// The link that opens an account.
pub fn sign_up(to: &str, frontend: &str, link: &str, until: Timestamp) -> Letter {
    letter(
        to,
        "Open your Pinfold account",
        &[
            "To open your account, follow this link:",
            &format!("{frontend}/sign-up#{link}"),
            &format!("It is good until {} and can be used once.", moment(until)),
            "If you did not ask for it, do nothing: no account is opened.",
        ],
    )
}

/// Somebody wants to open an account that there is already.
pub fn account_exists(to: &str, frontend: &str) -> Letter {
    letter(
        to,
        "You have a Pinfold account already",
        &[
            "Somebody asked to open an account with this address, and there is one. You can log in, or choose another password, here:",
            &format!("{frontend}/login"),
            "If it was not you, do nothing: nothing was changed.",
        ],
    )
}

/// The link that lets somebody choose another password.
pub fn password_reset(to: &str, frontend: &str, link: &str, until: Timestamp) -> Letter {
    letter(
        to,
        "Choose another password for Pinfold",
        &[
            "To choose another password, follow this link:",
            &format!("{frontend}/password-reset#{link}"),
            &format!(
                "It is good until {} and can be used once. All your logins end.",
                moment(until)
            ),
            "If you did not ask for it, do nothing: your password stays.",
        ],
    )
}

/// A password was changed.
pub fn password_changed(to: &str, frontend: &str) -> Letter {
    letter(
        to,
        "Your Pinfold password was changed",
        &[
            "The password of your account was changed, and all other logins have ended.",
            "If it was not you, choose another password at once:",
            &format!("{frontend}/password-reset"),
        ],
    )
}

/// Second factors were added, taken away, or given other recovery codes.
pub fn second_factor_changed(to: &str, frontend: &str) -> Letter {
    letter(
        to,
        "The second factors of your Pinfold account were changed",
        &[
            "An authenticator or a passkey was added or taken away, or recovery codes were made anew.",
            "If it was not you, choose another password at once, and look at what proves you:",
            &format!("{frontend}/password-reset"),
        ],
    )
}

/// The link that lets somebody join a tenant.
pub fn invitation(to: &str, frontend: &str, link: &str, tenant: &str, role: Role, until: Timestamp) -> Letter {
    letter(
        to,
        &format!("You are invited to {tenant} on Pinfold"),
        &[
            &format!(
                "You are invited to the tenant {tenant} as {}. To join, follow this link:",
                role.as_str()
            ),
            &format!("{frontend}/invitations#{link}"),
            &format!("It is good until {} and can be used once.", moment(until)),
            "If you do not know who invited you, do nothing.",
        ],
    )
}

fn letter(to: &str, subject: &str, paragraphs: &[&str]) -> Letter {
    Letter {
        to: to.to_owned(),
        subject: subject.to_owned(),
        body: format!("{}\n", paragraphs.join("\n\n")),
    }
}

fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_behind_a_hash_so_that_no_server_logs_it() {
        let until = Timestamp::from_second(1_800_000_000).unwrap();
        let wanted = Letter {
            to: "ada@example.com".to_owned(),
            subject: "You are invited to acme on Pinfold".to_owned(),
            body: "You are invited to the tenant acme as viewer. To join, follow this link:\n\n\
                   https://p.example/invitations#secret\n\n\
                   It is good until 2027-01-15 08:00 UTC and can be used once.\n\n\
                   If you do not know who invited you, do nothing.\n"
                .to_owned(),
        };
        assert_eq!(
            invitation(
                "ada@example.com",
                "https://p.example",
                "secret",
                "acme",
                Role::Viewer,
                until
            ),
            wanted
        );
    }
}
