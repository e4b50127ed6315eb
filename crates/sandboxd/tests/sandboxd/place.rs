//! The surroundings that the binary is started in.

use std::{ffi::OsString, path::Path, process::Command, thread};

use rustix::process::geteuid;

pub(crate) const SANDBOXD: &str = env!("CARGO_BIN_EXE_sandboxd");
/// Of a user who owns nothing.
const NOBODY: &str = "65532";

/// Where `sandboxd` stands among the processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// An ordinary process, below this one.
    Ordinary,
    /// The first process of a PID namespace with its own `/proc`, as in a container.
    First,
    /// As `First`, without root's identity and without capabilities, as in a pod under `restricted`.
    Restricted,
}

/// Proves something in all places, at the same time.
pub(crate) fn everywhere(proof: impl Fn(Place) + Sync) {
    thread::scope(|scope| {
        for place in [Place::Ordinary, Place::First, Place::Restricted] {
            let proof = &proof;
            scope.spawn(move || proof(place));
        }
    });
}

/// The command that starts the binary there; a copy of it may go to the folder.
pub(crate) fn placed(place: Place, folder: &Path) -> Command {
    let is_root = geteuid().is_root();
    let mut words: Vec<OsString> = Vec::new();
    if place != Place::Ordinary {
        words.extend(["/usr/bin/unshare", "--pid", "--fork", "--kill-child", "--mount-proc"].map(OsString::from));
        if !is_root {
            words.extend(["--user", "--map-current-user"].map(OsString::from));
        }
    }
    if place == Place::Restricted && is_root {
        // The build's own folder may be closed to others.
        let copy = folder.join("sandboxd");
        assert!(
            Command::new(SANDBOXD)
                .arg("install")
                .arg(&copy)
                .status()
                .expect("install")
                .success()
        );
        words.extend(
            [
                "/usr/bin/setpriv",
                "--reuid",
                NOBODY,
                "--regid",
                NOBODY,
                "--clear-groups",
            ]
            .map(OsString::from),
        );
        words.extend(["--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"].map(OsString::from));
        words.push(copy.into());
    } else {
        words.push(SANDBOXD.into());
    }
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    command
}
