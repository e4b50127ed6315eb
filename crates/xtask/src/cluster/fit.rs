//! Whether a running cluster is the one that was asked for.

use std::env;

use anyhow::Result;

use super::network::Range;
use super::state::{Shape, State};
use crate::build::key::Key;
use crate::build::programs::{OF_KUBE, OF_NODES};
use crate::paths;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    Same,
    /// The same wish, fulfilled by programs or settings of another checkout.
    Outdated,
    /// Another wish: only the user can say which of the two counts.
    Different(String),
}

/// Names the programs and the settings that this checkout starts a cluster with, gVisor's aside.
pub(crate) fn content(control_plane_only: bool) -> Result<String> {
    let entries = if control_plane_only { &[OF_KUBE][..] } else { &OF_NODES };
    let mut key = Key::default();
    for entry in entries {
        key = key.text(&entry.folder()?.to_string_lossy());
    }
    for folder in ["config", "manifests"] {
        key = key.folder(&paths::sources().join(folder))?;
    }
    if control_plane_only {
        let assets = env::var_os("KUBEBUILDER_ASSETS").unwrap_or_default();
        key = key.text(&assets.to_string_lossy());
    }
    Ok(key.finish())
}

/// Compares a running cluster with the wish. What it has beyond the wish does no harm.
pub(crate) fn compare(has: &State, wanted: &Shape, range: Option<Range>) -> Fit {
    let (shape, has_range) = (&has.shape, has.range);
    if let Some(range) = range.filter(|range| Some(*range) != has_range) {
        let other = has_range.map_or("no range of addresses".to_owned(), |range| range.to_string());
        return Fit::Different(format!("with {other} and not {range}"));
    }
    if shape.nodes != wanted.nodes
        || shape.control_plane_only != wanted.control_plane_only
        || (wanted.controller_manager && !shape.controller_manager)
        || (wanted.gvisor.is_some() && shape.gvisor.is_none())
    {
        return Fit::Different(format!(
            "as something else ({} nodes, gVisor {}, control plane only {}, controller manager {})",
            shape.nodes,
            shape.gvisor.is_some(),
            shape.control_plane_only,
            shape.controller_manager
        ));
    }
    let other_gvisor = wanted.gvisor.is_some() && wanted.gvisor != shape.gvisor;
    if shape.content != wanted.content || other_gvisor {
        return Fit::Outdated;
    }
    Fit::Same
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape() -> Shape {
        Shape {
            nodes: 1,
            gvisor: Some("gvisor-1".to_owned()),
            control_plane_only: false,
            controller_manager: true,
            content: "one".to_owned(),
        }
    }

    fn running() -> State {
        State {
            shape: shape(),
            range: "10.7.0.0/16".parse().ok(),
            server: "https://10.7.0.1:6443".to_owned(),
            machines: Vec::new(),
        }
    }

    #[test]
    fn more_than_was_asked_for_will_do() {
        let without_gvisor = Shape {
            gvisor: None,
            ..shape()
        };
        assert_eq!(compare(&running(), &without_gvisor, None), Fit::Same);
        assert_eq!(compare(&running(), &shape(), "10.7.0.0/16".parse().ok()), Fit::Same);
    }

    #[test]
    fn other_programs_or_settings_are_outdated() {
        let settings = Shape {
            content: "two".to_owned(),
            ..shape()
        };
        let gvisor = Shape {
            gvisor: Some("gvisor-2".to_owned()),
            ..shape()
        };
        for wanted in [settings, gvisor] {
            assert_eq!(compare(&running(), &wanted, None), Fit::Outdated);
        }
    }

    #[test]
    fn another_wish_is_never_granted_in_silence() {
        let nodes = Shape {
            nodes: 2,
            content: "two".to_owned(),
            ..shape()
        };
        assert!(matches!(compare(&running(), &nodes, None), Fit::Different(_)));
        assert_eq!(
            compare(&running(), &shape(), "10.8.0.0/16".parse().ok()),
            Fit::Different("with 10.7.0.0/16 and not 10.8.0.0/16".to_owned())
        );
    }

    #[test]
    fn the_settings_in_the_checkout_have_a_name() {
        assert_ne!(content(true).unwrap(), content(false).unwrap());
    }
}
