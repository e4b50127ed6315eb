//! No source file grows beyond what one reads in one sitting. Tests at its end do not count.

use std::fs;
use std::path::Path;

use anyhow::{Result, bail};

use crate::build::key::files;
use crate::paths;

const MOST_LINES: usize = 400;
const FOLDERS: [&str; 6] = ["api", "crates", "crds", "operator", "tests", "dev"];

pub(super) fn check() -> Result<()> {
    let mut long = Vec::new();
    for folder in FOLDERS {
        let folder = paths::workspace().join(folder);
        for path in files(&folder)? {
            if !is_source(&path) {
                continue;
            }
            let lines = lines_of_code(&fs::read_to_string(&path)?);
            if lines > MOST_LINES {
                long.push(format!("{} ({lines})", path.display()));
            }
        }
    }
    if !long.is_empty() {
        bail!("more than {MOST_LINES} lines of code: {}", long.join(", "));
    }
    Ok(())
}

fn is_source(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let source = path
        .extension()
        .is_some_and(|extension| extension == "rs" || extension == "go");
    let test =
        name == "tests.rs" || name.ends_with("_test.go") || path.components().any(|part| part.as_os_str() == "tests");
    source && !test
}

fn lines_of_code(text: &str) -> usize {
    let code = text.split_once("\n#[cfg(test)]\nmod ").map_or(text, |(code, _)| code);
    code.lines().filter(|line| !line.trim().is_empty()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_at_the_end_and_empty_lines_do_not_count() {
        assert_eq!(lines_of_code("a\n\nb\n#[cfg(test)]\nmod tests {\n}\n"), 2);
        assert_eq!(lines_of_code("#[cfg(test)]\nuse x;\nb\n"), 3);
    }
}
