//! The charts: lint, render, and refuse the values that the schema must refuse.

use anyhow::{Context as _, Result, bail, ensure};

use crate::build::key::files;
use crate::build::programs;
use crate::paths;
use crate::stage::Ui;

const CHARTS: [&str; 2] = ["pinfold-crds", "pinfold"];

pub(super) fn check(ui: &Ui) -> Result<()> {
    let helm = programs::ensure_helm(ui)?;
    let charts = paths::workspace().join("charts");
    ui.stage("charts", "mend the chart that the log names", |stage| {
        for chart in CHARTS {
            let folder = charts.join(chart);
            ensure!(folder.join("Chart.yaml").exists(), "{} is no chart", folder.display());
            stage.run(&helm).args(["lint", "--strict"]).arg(&folder).run()?;
            stage.run(&helm).args(["template", chart]).arg(&folder).run()?;
        }
        Ok(())
    })?;
    ui.stage(
        "chart schema",
        "make values.schema.json refuse the file that it accepted",
        |stage| {
            let chart = charts.join("pinfold");
            let folder = chart.join("ci/bad-values");
            let bad = files(&folder).with_context(|| format!("{} must hold values to refuse", folder.display()))?;
            ensure!(!bad.is_empty(), "{} is empty", folder.display());
            let mut accepted = Vec::new();
            for values in bad {
                let rendered = stage
                    .run(&helm)
                    .args(["template", "pinfold"])
                    .arg(&chart)
                    .arg("--values")
                    .arg(&values)
                    .output();
                if rendered.is_ok() {
                    accepted.push(values.display().to_string());
                }
            }
            if !accepted.is_empty() {
                bail!("accepted, but must be refused: {}", accepted.join(", "));
            }
            Ok(())
        },
    )
}
