//! No warning of the compiler or of clippy, in anything of the workspace.

use anyhow::{Result, bail};
use serde_json::Value;

use crate::build::ours;
use crate::stage::Stage;

/// Those that ask for a cluster are not among "all": plain `cargo test` must not run them.
const LINTED: [&[&str]; 2] = [&["--all-targets"], &["--test", "*"]];

pub(super) fn check(stage: &Stage) -> Result<()> {
    let mut found = Vec::new();
    for targets in LINTED {
        let compile = ours::cargo(stage, "build").args(targets);
        let (messages, end) = compile.args(["--message-format", "json"]).output_and_end()?;
        for text in diagnostics(&messages) {
            // A library's come again with its tests'.
            if !found.contains(&text) {
                found.push(text);
            }
        }
        if !found.is_empty() {
            bail!("{}", found.join("\n"));
        }
        end?;
    }
    Ok(())
}

/// What the compiler had to say. Cargo repeats it for what it has compiled before.
fn diagnostics(messages: &str) -> impl Iterator<Item = String> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-message")
        .filter_map(|message| message["message"]["rendered"].as_str().map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn diagnostics_are_told_from_other_messages() {
        let messages = [
            r#"{"reason":"compiler-artifact","fresh":true}"#,
            r#"{"reason":"compiler-message","message":{"level":"warning","rendered":"warning: unused\n"}}"#,
            "not JSON",
            r#"{"reason":"build-finished","success":true}"#,
        ];
        let found: Vec<String> = diagnostics(&messages.join("\n")).collect();
        assert_eq!(found, ["warning: unused\n"]);
    }
}
