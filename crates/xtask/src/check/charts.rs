//! The charts: lint, render, and refuse the values that the schema must refuse.

use anyhow::{Context as _, Result, bail, ensure};

use crate::build::key::files;
use crate::build::programs;
use crate::command::Run;
use crate::paths;
use crate::stage::Ui;

/// Without a cluster to ask, helm assumes a version that the charts refuse.
const KUBE_VERSION: &str = "--kube-version=1.35.4";
/// Part of what helm says when the schema, and not something else, refuses the values.
const REFUSAL: &str = "meet the specifications of the schema";
const CHARTS: [&str; 2] = ["pinfold-crds", "pinfold"];

pub(super) fn check(ui: &Ui) -> Result<()> {
    let helm = programs::ensure_helm(ui)?;
    let charts = paths::workspace().join("charts");
    ui.stage("charts", "mend the chart that the log names", |stage| {
        for chart in CHARTS {
            let folder = charts.join(chart);
            ensure!(folder.join("Chart.yaml").exists(), "{} is no chart", folder.display());
            stage
                .run(&helm)
                .args(["lint", "--strict", KUBE_VERSION])
                .arg(&folder)
                .run()?;
            let template = || stage.run(&helm).args(["template", chart, KUBE_VERSION]).arg(&folder);
            template().run()?;
            for values in files(&folder.join("ci/good-values")).unwrap_or_default() {
                template().arg("--values").arg(values).run()?;
            }
        }
        Ok(())
    })?;
    ui.stage(
        "chart schema",
        "make values.schema.json refuse the file that it accepted",
        |_| {
            let chart = charts.join("pinfold");
            let folder = chart.join("ci/bad-values");
            let bad = files(&folder).with_context(|| format!("{} must hold values to refuse", folder.display()))?;
            ensure!(!bad.is_empty(), "{} is empty", folder.display());
            let mut accepted = Vec::new();
            for values in bad {
                let rendered = Run::new(&helm)
                    .args(["template", "pinfold", KUBE_VERSION])
                    .arg(&chart)
                    .arg("--values")
                    .arg(&values)
                    .output();
                match rendered {
                    Err(error) if error.to_string().contains(REFUSAL) => {}
                    Err(error) => bail!("{} is refused, but not by the schema: {error}", values.display()),
                    Ok(_) => accepted.push(values.display().to_string()),
                }
            }
            if !accepted.is_empty() {
                bail!("accepted, but must be refused: {}", accepted.join(", "));
            }
            Ok(())
        },
    )
}
