//! `GET /docs/{guide}`: the documentation of this program's own version. Errors lead to a line of it.

use std::{borrow::Cow, collections::HashMap, sync::LazyLock};

use axum::{
    http::{HeaderValue, header},
    response::Response,
};
use minijinja::context;
use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

use crate::routes::pages::page;

/// What there is, by its place below `/docs/`.
const ALL: [(&str, &str); 8] = [
    ("api", include_str!("../../../../docs/api.md")),
    ("auth", include_str!("../../../../docs/auth.md")),
    ("oauth", include_str!("../../../../docs/oauth.md")),
    ("agent", include_str!("../../../../docs/agent.md")),
    ("audit", include_str!("../../../../docs/audit.md")),
    ("errors", include_str!("../../../../docs/errors.md")),
    ("reference/access", include_str!("../../../../docs/reference/access.md")),
    (
        "reference/api-settings",
        include_str!("../../../../docs/reference/api-settings.md"),
    ),
];

/// A guide as a page has it.
struct Guide {
    title: String,
    content: String,
}

/// The page of a guide, if there is one.
pub fn show(place: &str) -> Option<Response> {
    static GUIDES: LazyLock<HashMap<&str, Guide>> =
        LazyLock::new(|| ALL.iter().map(|(place, text)| (*place, read(place, text))).collect());
    let guide = GUIDES.get(place)?;
    let others: Vec<&str> = ALL.iter().map(|(place, _)| *place).collect();
    let own = context! { content => &guide.content, others };
    let mut response = page("guide.html", &guide.title, None, own);
    let kept = HeaderValue::from_static("max-age=3600");
    response.headers_mut().insert(header::CACHE_CONTROL, kept);
    Some(response)
}

fn read(place: &str, text: &str) -> Guide {
    let mut title = String::new();
    let mut events: Vec<Event<'_>> = Vec::new();
    let (mut heading, mut dropped) = (0, false);
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Heading { .. }) => {
                heading = events.len();
                events.push(event);
            }
            Event::End(TagEnd::Heading(HeadingLevel::H1)) => title = text_of(&events.split_off(heading)),
            Event::End(TagEnd::Heading(_)) => {
                let name = anchor(&text_of(&events[heading..]));
                if let Some(Event::Start(Tag::Heading { id, .. })) = events.get_mut(heading) {
                    *id = Some(CowStr::from(name));
                }
                events.push(event);
            }
            Event::Start(Tag::Link {
                link_type,
                dest_url,
                title,
                id,
            }) => match served(place, &dest_url) {
                Some(found) => events.push(Event::Start(Tag::Link {
                    link_type,
                    dest_url: CowStr::from(found.into_owned()),
                    title,
                    id,
                })),
                None => dropped = true,
            },
            Event::End(TagEnd::Link) if dropped => dropped = false,
            _ => events.push(event),
        }
    }
    let mut content = String::new();
    html::push_html(&mut content, events.into_iter());
    Guide { title, content }
}

fn text_of(events: &[Event<'_>]) -> String {
    let texts = events.iter().filter_map(|event| match event {
        Event::Text(text) | Event::Code(text) => Some(text.as_ref()),
        _ => None,
    });
    texts.collect()
}

/// What a heading is linked by, as the pages of the repository have it.
fn anchor(heading: &str) -> String {
    let kept = heading
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase)
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

/// Where a link of a guide leads here, if it does.
fn served<'a>(from: &str, link: &'a str) -> Option<Cow<'a, str>> {
    if link.starts_with('#') || link.starts_with("https://") {
        return Some(Cow::Borrowed(link));
    }
    // Places are one below the other, so a URL resolves them as the repository does.
    let base = url::Url::parse("docs://docs/").and_then(|base| base.join(from)).ok()?;
    let found = base.join(link).ok()?;
    let path = found.path().trim_start_matches('/');
    if path == "reference/openapi.json" {
        return Some(Cow::Borrowed("/openapi.json"));
    }
    let place = path.strip_suffix(".md")?;
    ALL.iter().find(|(known, _)| *known == place)?;
    let fragment = found.fragment().map_or_else(String::new, |name| format!("#{name}"));
    Some(Cow::Owned(format!("/docs/{place}{fragment}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestApp;

    /// What an attribute of every element that has it says.
    fn all<'a>(html: &'a str, attribute: &str) -> Vec<&'a str> {
        let begin = format!(" {attribute}=\"");
        let parts = html.split(begin.as_str()).skip(1);
        parts.map(|rest| rest.split('"').next().unwrap()).collect()
    }

    #[tokio::test]
    async fn every_link_of_a_guide_leads_somewhere() {
        let app = TestApp::start().await;
        for (place, text) in ALL {
            let guide = read(place, text);
            assert!(
                text.starts_with(&format!("# {}\n", guide.title)),
                "{place}: {}",
                guide.title
            );
            for link in all(&guide.content, "href") {
                let (path, fragment) = link
                    .split_once('#')
                    .map_or((link, None), |(path, name)| (path, Some(name)));
                if path.starts_with("https://") {
                    continue;
                }
                let there = match path.strip_prefix("/docs/") {
                    Some(other) => {
                        let (place, text) = ALL.iter().find(|(known, _)| *known == other).unwrap();
                        read(place, text).content
                    }
                    None if path.is_empty() => guide.content.clone(),
                    None => {
                        assert_eq!(app.get(path, None).await.status, 200, "{place}: {link}");
                        continue;
                    }
                };
                let found = fragment.is_none_or(|name| all(&there, "id").contains(&name));
                assert!(found, "{place}: {link}");
            }
        }
    }

    /// RFC 9457, section 3.1.1: who follows the type of a problem finds out about it.
    #[tokio::test]
    async fn the_type_of_every_problem_leads_to_what_to_do() {
        let app = TestApp::start().await;
        let answer = app.get("/docs/errors", None).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("content-type")),
            (200, Some("text/html; charset=utf-8"))
        );
        let page = answer.body.as_str().unwrap();
        let ids = all(page, "id");
        assert!(
            ids.contains(&"invalid_request") && page.contains("mend the named field"),
            "{page}"
        );
        // That of every other answer is looked at wherever one is asked for.
        let problem = app.get("/v1/me", None).await;
        let (path, name) = problem.body["type"].as_str().unwrap().split_once('#').unwrap();
        assert_eq!((path, ids.contains(&name)), ("/docs/errors", true), "{name}");
    }
}
