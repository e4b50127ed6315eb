//! Which processes there are, read from `/proc`.

use std::{collections::BTreeSet, fs};

use rustix::process::Pid;

/// The processes one answers for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All but the first one, which asks.
    Namespace,
    /// Those that descend from this one, itself excluded.
    Descendants(Pid),
}

struct Entry {
    pid: i32,
    parent: i32,
    alive: bool,
}

/// The processes of the scope that have not ended; none when `/proc` cannot be read.
pub(crate) fn living(scope: Scope) -> Vec<Pid> {
    let entries = entries();
    let own = match scope {
        Scope::Namespace => return pids(entries.iter().filter(|entry| entry.pid != Pid::INIT.as_raw_pid())),
        Scope::Descendants(own) => own.as_raw_pid(),
    };
    let mut family = BTreeSet::from([own]);
    // A child may stand before its parent in the list: numbers start again from the bottom.
    loop {
        let before = family.len();
        family.extend(
            entries
                .iter()
                .filter(|entry| family.contains(&entry.parent))
                .map(|entry| entry.pid)
                .collect::<Vec<_>>(),
        );
        if family.len() == before {
            break;
        }
    }
    pids(
        entries
            .iter()
            .filter(|entry| entry.pid != own && family.contains(&entry.pid)),
    )
}

fn pids<'a>(entries: impl Iterator<Item = &'a Entry>) -> Vec<Pid> {
    entries
        .filter(|entry| entry.alive)
        .filter_map(|entry| Pid::from_raw(entry.pid))
        .collect()
}

fn entries() -> Vec<Entry> {
    let Ok(folder) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    folder
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid: i32| parse_stat(pid, &fs::read(format!("/proc/{pid}/stat")).ok()?))
        .collect()
}

/// The name, in parentheses, may hold anything, parentheses too: state and parent follow the last one.
fn parse_stat(pid: i32, stat: &[u8]) -> Option<Entry> {
    let end_of_name = stat.iter().rposition(|byte| *byte == b')')?;
    let mut fields = str::from_utf8(&stat[end_of_name + 1..]).ok()?.split_ascii_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    Some(Entry {
        pid,
        parent,
        alive: !matches!(state, "Z" | "X"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let entry = parse_stat(7, b"7 (a) Z 1 \xff) S 3 7 7 0").expect("parse");
        assert_eq!((entry.pid, entry.parent, entry.alive), (7, 3, true));
        assert!(!parse_stat(7, b"7 (x) Z 1 0").expect("parse").alive);
        assert!(parse_stat(7, b"").is_none() && parse_stat(7, b"7 (x)").is_none());
    }
}
