//! Structured logs on standard error, and figures for Prometheus. Ticket text goes into neither.

use std::io::IsTerminal;
use std::sync::Arc;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// Starts logging. Later calls change nothing.
pub fn init(log: &Log) {
    let filter = log.level.parse::<EnvFilter>().unwrap_or_default();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // An error means that logging has been started already, which tests do.
    let _ = match log.format {
        LogFormat::Json => builder.json().try_init(),
        LogFormat::Text => builder.with_target(false).try_init(),
    };
}

/// Bounds of the histograms of durations, in seconds.
const DURATIONS: [f64; 12] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Renders what has been counted.
pub type Figures = Arc<dyn Fn() -> String + Send + Sync>;

/// Starts counting. `None` if something else in this process counts already, which tests do.
pub fn figures() -> Option<Figures> {
    let durations = Matcher::Suffix("_duration_seconds".to_owned());
    let builder = PrometheusBuilder::new().set_buckets_for_metric(durations, &DURATIONS).ok()?;
    let handle = builder.install_recorder().ok()?;
    Some(Arc::new(move || handle.render()))
}
