//! The report as one HTML page.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, Error, context};
use sha2::{Digest, Sha256};

use super::super::Estimate;
use super::super::doctor::{Finding, worklist};
use super::{Report, charts, format};

/// The parts of the page.
const TEMPLATES: [(&str, &str); 5] = [
    ("page.html", include_str!("templates/page.html")),
    ("field.html", include_str!("templates/field.html")),
    ("doctor.html", include_str!("templates/doctor.html")),
    ("data.html", include_str!("templates/data.html")),
    ("macros.html", include_str!("templates/macros.html")),
];
const STYLE: &str = include_str!("templates/page.css");
const SCRIPT: &str = include_str!("templates/page.js");

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
#[error("the page cannot be written: {0}")]
pub struct PageError(#[from] Error);

/// What a browser lets the page do: show its own style, run its own small script, and nothing else.
/// The page says so itself; a server may say it too.
pub fn policy() -> String {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; \
         form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

/// The whole page, in itself: style, drawings and a small script that only reckons with the
/// numbers a reader types in. Without it the page lacks nothing else.
///
/// # Errors
/// A template is at fault, which a test would have found.
pub fn html(report: &Report) -> Result<String, PageError> {
    let mut env = Environment::new();
    env.set_auto_escape_callback(|_| AutoEscape::Html);
    for (name, source) in TEMPLATES {
        env.add_template(name, source)?;
    }
    env.add_filter("percent", |share: Option<f64>| share.map_or("–".to_owned(), format::percent));
    env.add_filter("count", format::count);
    env.add_filter("plain", |n: f64| n.to_string());
    env.add_filter("estimate", |e: Value| Ok::<_, Error>(format::estimate(read_estimate(&e)?)));
    env.add_filter("points", |e: Value| {
        let e = read_estimate(&e)?;
        let points = |v: f64| format!("{:+.1}", 100.0 * v);
        Ok::<_, Error>(format!("{} ({} to {})", points(e.value), points(e.low), points(e.high)))
    });
    env.add_filter("p", |p: f64| if p < 0.001 { "< 0.001".to_owned() } else { format!("{p:.3}") });
    env.add_filter("short", |text: String, most: usize| format::short(&text, most));
    env.add_filter("hours", |minutes: f64| format::count(minutes / 60.0));
    let drawings: Vec<Value> = report
        .fields
        .iter()
        .enumerate()
        .map(|(n, report)| {
            let field = &report.field;
            let drawn = |svg: String| Value::from_safe_string(svg);
            let id = |what: &str| format!("{what}-{n}");
            context! {
                baselines => drawn(charts::baselines(&id("baselines"), field)),
                coverage => drawn(charts::coverage(&id("coverage"), field)),
                reliability => drawn(charts::reliability(&id("reliability"), field)),
                confusion => drawn(charts::confusion(&id("confusion"), &field.name, &field.confusion)),
                learning => drawn(charts::learning(&id("learning"), field)),
                cold_start => drawn(charts::cold_start(&id("cold-start"), field)),
                months => drawn(charts::months(&id("months"), field)),
            }
        })
        .collect();
    let work: Vec<Value> = report
        .fields
        .iter()
        .map(|r| {
            let works = worklist(&r.field.name, &r.doctor);
            let tickets = works.iter().filter(|w| !w.ticket.is_empty()).count();
            let sure = works.iter().filter(|w| w.finding == Finding::Mislabelled).count();
            context! { all => works.len(), tickets, mislabelled => sure }
        })
        .collect();
    let page = env.get_template("page.html")?.render(context! {
        report => Value::from(Serde(report)),
        drawings,
        work,
        style => Value::from_safe_string(STYLE.to_owned()),
        script => Value::from_safe_string(SCRIPT.to_owned()),
        policy => Value::from_safe_string(policy()),
    })?;
    Ok(page)
}

fn read_estimate(value: &Value) -> Result<Estimate, Error> {
    let part = |name: &str| f64::try_from(value.get_attr(name)?);
    Ok(Estimate { value: part("value")?, low: part("low")?, high: part("high")? })
}
