//! What tokens of issuers outside say of a person: of any issuer that speaks OpenID Connect, and of Clerk, whose session tokens have
//! claims of their own.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use crate::auth::{rights::Role, token};

/// How far the issuer's clock may be off.
const SKEW: SignedDuration = SignedDuration::from_secs(5);

/// The longest name of a person, or of an organisation.
pub const LONGEST: usize = 255;

/// What an issuer's tokens must say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Demand {
    /// OpenID Connect Core, section 3.1.3.7: `aud` names us.
    Audience(String),
    /// Clerk's session tokens name no audience, but the page that asked for them: `azp` is one of these origins.
    Parties(Vec<String>),
}

/// A person, as an issuer names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vouched {
    /// The issuer's name for the person.
    pub subject: String,
    /// What people call them, if the token says.
    pub name: Option<String>,
    /// The organisation that they act in, if they do.
    pub organisation: Option<Organisation>,
    /// The token's end.
    pub expires_at: Timestamp,
}

/// An organisation of an issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organisation {
    /// The issuer's id of it.
    pub id: String,
    /// What the person is there, in our terms.
    pub role: Role,
}

/// Reads claims whose signature was good; nothing unless they are this issuer's, for us, of a finished login, and in force.
pub fn read(claims: &Map<String, Value>, issuer: &str, demand: &Demand, now: Timestamp) -> Option<Vouched> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss")? != issuer {
        return None;
    }
    let meant = match demand {
        Demand::Audience(audience) => token::is_for(claims.get("aud")?, audience),
        Demand::Parties(origins) => origins.iter().any(|origin| Some(origin.as_str()) == text("azp")),
    };
    // `sts`: whether the login is finished; one that is pending lacks a second factor, or the choice of an organisation.
    if !meant || claims.get("sts").is_some_and(|status| status != "active") {
        return None;
    }
    // Whoever shows it would have to prove a key besides, which is no part of this way in.
    if claims.contains_key("cnf") {
        return None;
    }
    let expires_at = token::moment(claims.get("exp")?)?;
    let issued_at = token::moment(claims.get("iat")?)?;
    let not_before = claims.get("nbf").map_or(Some(issued_at), token::moment)?;
    let (soon, ago) = (now.checked_add(SKEW).ok()?, now.checked_sub(SKEW).ok()?);
    if ago >= expires_at || issued_at > soon || not_before > soon {
        return None;
    }
    let subject = text("sub").filter(|subject| is_name(subject))?;
    Some(Vouched {
        subject: subject.to_owned(),
        name: text("name")
            .map(str::trim)
            .filter(|name| is_name(name))
            .map(str::to_owned),
        organisation: organisation(claims),
        expires_at,
    })
}

/// Clerk's two versions: `o` with `id` and `rol` since version 2, and before that `org_id` and `org_role`, in which the role
/// begins with `org:`.
fn organisation(claims: &Map<String, Value>) -> Option<Organisation> {
    let (id, role) = if let Some(o) = claims.get("o") {
        (o.get("id")?.as_str()?, o.get("rol")?.as_str()?)
    } else {
        let role = claims.get("org_role")?.as_str()?;
        (
            claims.get("org_id")?.as_str()?,
            role.strip_prefix("org:").unwrap_or(role),
        )
    };
    let role = match role {
        "admin" => Role::Admin,
        "member" | "basic_member" => Role::Developer,
        // Of roles that somebody made up we know nothing: one of our own name is meant as ours, and others may look.
        other => Role::parse(other)
            .filter(|role| *role != Role::Owner)
            .unwrap_or(Role::Viewer),
    };
    is_name(id).then(|| Organisation {
        id: id.to_owned(),
        role,
    })
}

/// Whether an issuer may call somebody so.
pub fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ISSUER: &str = "https://id.example";
    const NOW: i64 = 1_800_000_000;

    fn clerk() -> Demand {
        Demand::Parties(vec!["https://console.example".to_owned()])
    }

    fn oidc() -> Demand {
        Demand::Audience("pinfold".to_owned())
    }

    /// What both kinds of issuers may say.
    fn claims() -> Value {
        json!({
            "iss": ISSUER, "sub": "user_1", "aud": "pinfold", "azp": "https://console.example", "sid": "sess_1",
            "iat": NOW - 10, "nbf": NOW - 20, "exp": NOW + 50,
        })
    }

    fn read_with(demand: &Demand, changes: &Value) -> Option<Vouched> {
        let Value::Object(mut all) = claims() else {
            unreachable!()
        };
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => drop(all.remove(name)),
                value => drop(all.insert(name.clone(), value.clone())),
            }
        }
        read(&all, ISSUER, demand, Timestamp::from_second(NOW).unwrap())
    }

    #[test]
    fn both_kinds_are_read() {
        let plain = Vouched {
            subject: "user_1".to_owned(),
            name: None,
            organisation: None,
            expires_at: Timestamp::from_second(NOW + 50).unwrap(),
        };
        assert_eq!(read_with(&clerk(), &json!({"aud": null})), Some(plain.clone()));
        assert_eq!(read_with(&oidc(), &json!({"azp": "client"})), Some(plain.clone()));
        let named = json!({"name": " Ada Lovelace ", "sts": "active", "nbf": null});
        let wanted = Vouched {
            name: Some("Ada Lovelace".to_owned()),
            ..plain
        };
        assert_eq!(read_with(&oidc(), &named), Some(wanted));
    }

    #[test]
    fn organisations_of_both_versions() {
        let cases = [
            (
                json!({"v": 2, "o": {"id": "org_1", "rol": "admin", "slg": "acme"}}),
                Role::Admin,
            ),
            (json!({"v": 2, "o": {"id": "org_1", "rol": "member"}}), Role::Developer),
            (json!({"v": 2, "o": {"id": "org_1", "rol": "billing"}}), Role::Billing),
            (json!({"v": 2, "o": {"id": "org_1", "rol": "owner"}}), Role::Viewer),
            (json!({"v": 2, "o": {"id": "org_1", "rol": "janitor"}}), Role::Viewer),
            (json!({"org_id": "org_1", "org_role": "org:admin"}), Role::Admin),
            (json!({"org_id": "org_1", "org_role": "basic_member"}), Role::Developer),
        ];
        for (claims, role) in cases {
            let wanted = Organisation {
                id: "org_1".to_owned(),
                role,
            };
            let read = read_with(&clerk(), &claims).and_then(|vouched| vouched.organisation);
            assert_eq!(read, Some(wanted), "{claims}");
        }
        for none in [
            json!({"o": {"rol": "admin"}}),
            json!({"o": {"id": "", "rol": "admin"}}),
            json!({"org_id": "org_1"}),
        ] {
            let read = read_with(&clerk(), &none).map(|vouched| vouched.organisation);
            assert_eq!(read, Some(None), "{none}");
        }
    }

    #[test]
    fn what_is_not_for_us_is_refused() {
        for changes in [
            json!({"iss": "https://id.example/"}),
            json!({"azp": null}),
            json!({"azp": "https://console.example.evil.example"}),
            json!({"azp": ["https://console.example"]}),
        ] {
            assert_eq!(read_with(&clerk(), &changes), None, "{changes}");
        }
        for changes in [
            json!({"aud": null}),
            json!({"aud": "other"}),
            json!({"aud": ["pinfold", "pinfold"]}),
        ] {
            assert_eq!(read_with(&oidc(), &changes), None, "{changes}");
        }
        for demand in [clerk(), oidc()] {
            for changes in [
                json!({"sts": "pending"}),
                json!({"sts": 1}),
                json!({"exp": NOW - 5}),
                json!({"exp": null}),
                json!({"exp": "1900000000"}),
                json!({"iat": NOW + 6}),
                json!({"iat": null}),
                json!({"nbf": NOW + 6}),
                json!({"sub": null}),
                json!({"sub": ""}),
                json!({"sub": "a\nb"}),
                json!({"sub": "s".repeat(256)}),
                json!({"sub": 7}),
            ] {
                assert_eq!(read_with(&demand, &changes), None, "{changes}");
            }
        }
        // A clock may be off by a little.
        assert!(read_with(&oidc(), &json!({"exp": NOW - 4, "iat": NOW - 60})).is_some());
    }
}
