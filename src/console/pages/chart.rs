//! Charts, drawn here as SVG. Each has its figures in a table behind it.

use maud::{Markup, html};

use super::parts::percent;
use crate::judge::metrics::ReliabilityBin;
use crate::judge::wilson;

/// The drawing's inner width and height, and around it the room for what its axes say.
const WIDTH: f64 = 320.0;
const HEIGHT: f64 = 200.0;
const LEFT: f64 = 44.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 44.0;
/// Normal quantile of a 95 % interval.
const Z: f64 = 1.959_964;

/// A line of a chart: its name, and points between 0 and 1 (x) with a value and its interval.
pub(in crate::console) struct Line {
    pub(in crate::console) name: String,
    pub(in crate::console) points: Vec<(f64, f64, f64, f64)>,
}

/// What an axis says: its title, and ticks between 0 and 1 with their text.
pub(in crate::console) struct Axis {
    pub(in crate::console) title: String,
    pub(in crate::console) ticks: Vec<(f64, String)>,
}

impl Axis {
    /// From 0 to 100 %.
    pub(in crate::console) fn shares(title: &str) -> Self {
        let ticks = (0..=4).map(|n| (f64::from(n) / 4.0, percent(f64::from(n) / 4.0)));
        Self { title: title.to_owned(), ticks: ticks.collect() }
    }
}

fn x(value: f64) -> String {
    format!("{:.1}", LEFT + value.clamp(0.0, 1.0) * WIDTH)
}

fn y(value: f64) -> String {
    format!("{:.1}", TOP + (1.0 - value.clamp(0.0, 1.0)) * HEIGHT)
}

fn frame(title: &str, across: &Axis, up: &Axis, inside: &Markup) -> Markup {
    let (width, height) = (LEFT + WIDTH + RIGHT, TOP + HEIGHT + BOTTOM);
    html! {
        svg.chart viewBox={ "0 0 " (width) " " (height) } role="img" aria-label=(title) {
            @for (at, text) in &up.ticks {
                line.grid x1=(x(0.0)) x2=(x(1.0)) y1=(y(*at)) y2=(y(*at)) {}
                text.tick x=(LEFT - 6.0) y=(y(*at)) text-anchor="end" dominant-baseline="middle" { (text) }
            }
            @for (at, text) in &across.ticks {
                text.tick x=(x(*at)) y=(TOP + HEIGHT + 16.0) text-anchor="middle" { (text) }
            }
            text.axis x=(x(0.5)) y=(height - 8.0) text-anchor="middle" { (across.title) }
            text.axis x=(x(0.0)) y="11" text-anchor="start" { (up.title) }
            (inside)
        }
    }
}

/// Lines with their intervals, each in a shape and stroke of its own.
pub(in crate::console) fn lines(title: &str, across: &Axis, up: &Axis, lines: &[Line]) -> Markup {
    let path = |line: &Line| {
        let points = line.points.iter().map(|(at, value, ..)| format!("{},{}", x(*at), y(*value)));
        points.collect::<Vec<_>>().join(" ")
    };
    let inside = html! {
        @for (n, line) in lines.iter().enumerate() {
            g.{ "series series-" (n % 3) } {
                @for (at, _, low, high) in &line.points {
                    line.interval x1=(x(*at)) x2=(x(*at)) y1=(y(*low)) y2=(y(*high)) {}
                }
                polyline points=(path(line)) {}
                @for (at, value, ..) in &line.points { circle cx=(x(*at)) cy=(y(*value)) r="3" {} }
            }
        }
    };
    html! {
        figure {
            (frame(title, across, up, &inside))
            ul.legend aria-hidden="true" {
                @for (n, line) in lines.iter().enumerate() {
                    li.{ "series-" (n % 3) } { span.swatch {} (line.name) }
                }
            }
        }
    }
}

/// How sure answers were against how often they were right; on the diagonal they keep their word.
pub(in crate::console) fn reliability(
    title: &str,
    across: &str,
    up: &str,
    bins: &[ReliabilityBin],
) -> Markup {
    let (across, up) = (Axis::shares(across), Axis::shares(up));
    let inside = html! {
        line.ideal x1=(x(0.0)) y1=(y(0.0)) x2=(x(1.0)) y2=(y(1.0)) {}
        g.series.series-0 {
            @for bin in bins {
                @let (low, high) = interval(bin);
                line.interval x1=(x(bin.confidence)) x2=(x(bin.confidence)) y1=(y(low)) y2=(y(high)) {}
                circle cx=(x(bin.confidence)) cy=(y(bin.accuracy)) r="4" {}
            }
        }
    };
    html! { figure { (frame(title, &across, &up, &inside)) } }
}

/// The interval of a bin's accuracy. A bin may hold a part of tied rows, so successes are rounded.
pub(in crate::console) fn interval(bin: &ReliabilityBin) -> (f64, f64) {
    let right = (bin.accuracy * bin.rows as f64).round() as usize;
    wilson(right, bin.rows as usize, Z)
}
