//! `pinfold-api verify-audit`: whether what was done is still told as it was.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    auth::chain::{Head, Signer},
    cluster::Cluster,
    config::Config,
    service::audit::{self, Report},
    store::Database,
};

/// Looks at every chain, and at the heads on the cluster's Tenants and in a file, if there are any. Any finding is an error.
pub async fn run(config: &Config, heads: Option<&Path>) -> Result<String> {
    let mut known = match heads {
        Some(path) => {
            let text = fs::read_to_string(path).with_context(|| format!("--heads {}", path.display()))?;
            let known = read_heads(&text);
            if known.is_empty() {
                bail!(
                    "--heads {} has no head in it: give lines of the log or of an export",
                    path.display()
                );
            }
            known
        }
        None => Vec::new(),
    };
    let database = Database::open_for_command(&config.database)?;
    database.check().await.context("check the database")?;
    let signer = Signer::new(&config.auth.master_key)?;
    if let Some(cluster) = Cluster::open(&config.cluster).await.context("find the cluster")? {
        let written = cluster.audit_heads().await.context("read the heads on Tenants")?;
        // Others may write on a Tenant; what they cannot write is a signature of ours.
        known.extend(
            read_heads(&written.join("\n"))
                .into_iter()
                .filter(|head| signer.signed(head)),
        );
    }
    let reports = audit::verify(&database, &signer, &known).await?;
    let mut told = tell(&reports);
    let findings: usize = reports.iter().map(|report| report.findings.len()).sum();
    if findings > 0 {
        bail!("the audit is not whole, {findings} findings:\n{}", told.join("\n"));
    }
    told.push(format!(
        "the audit is whole; {} earlier heads were compared",
        known.len()
    ));
    told.push(format!("heads are signed with the Ed25519 key {}", signer.public_key()));
    Ok(told.join("\n"))
}

fn tell(reports: &[Report]) -> Vec<String> {
    let mut told = Vec::new();
    for report in reports {
        let whole = if report.findings.is_empty() { ", whole" } else { "" };
        told.push(format!("{}: {} events{whole}", report.chain, report.count));
        told.extend(report.findings.iter().map(|finding| format!("  {finding}")));
    }
    told
}

/// The heads in lines of JSON: of the service's log, where one is a text, of an export, or heads alone.
fn read_heads(text: &str) -> Vec<Head> {
    text.lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|line| match line.get("head") {
            Some(Value::String(inner)) => serde_json::from_str(inner).ok(),
            Some(inner) => Head::deserialize(inner).ok(),
            None => Head::deserialize(&line).ok(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_found_in_logs_and_exports() {
        let head = Head {
            chain: "platform".to_owned(),
            count: 3,
            hash: "ab".to_owned(),
            at: 5,
            signature: "cd".to_owned(),
        };
        let alone = serde_json::to_string(&head).unwrap();
        let logged = serde_json::json!({"level": "INFO", "message": "audit head", "head": alone});
        let exported = serde_json::json!({"head": head});
        let text =
            format!("{logged}\nnot JSON\n{{\"message\": \"serving\"}}\n{exported}\n{{\"head\":null}}\n{alone}\n");
        assert_eq!(read_heads(&text), vec![head; 3]);
    }
}
