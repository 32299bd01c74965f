//! `deskhand healthcheck`, for container and service managers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;

use super::Common;

/// Ask a running service whether it can triage; exit with 1 if not.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  deskhand healthcheck\n  \
    deskhand healthcheck --url http://127.0.0.1:9000/readyz")]
pub(super) struct HealthcheckArgs {
    /// What to ask [default: /readyz at the configured address]
    #[arg(long)]
    url: Option<String>,
    /// Seconds to wait for the answer
    #[arg(long, default_value_t = 3)]
    timeout: u64,
}

fn configured(common: &Common) -> Result<String> {
    let mut listen = common.config()?.server.listen;
    // "Every address" is one to listen on, not one to call.
    if listen.ip().is_unspecified() {
        listen.set_ip(match listen.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    Ok(format!("http://{listen}/readyz"))
}

pub(super) async fn run(common: &Common, args: HealthcheckArgs) -> Result<()> {
    let url = match args.url {
        Some(url) => url,
        None => configured(common)?,
    };
    let client =
        reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(args.timeout)).build()?;
    let response = client.get(&url).send().await.with_context(|| url.clone())?;
    let status = response.status();
    let body = response.text().await.unwrap_or_default();
    anyhow::ensure!(status.is_success(), "{url}: {status} {body}");
    super::print(&format!("{url}: {status}"))
}
