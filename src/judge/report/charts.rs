//! The report's charts.

use super::field::{Confusion, Field};
use super::format::{count, percent, short};
use super::svg::{Anchor, Svg};

/// Widths and heights, in the drawing's units.
const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 270.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 42.0;

/// A line of a chart.
struct Series {
    name: &'static str,
    points: Vec<(f64, f64)>,
    /// Lower and upper end at each point, or nothing.
    band: Vec<(f64, f64)>,
    dots: bool,
}

impl Series {
    fn line(name: &'static str, points: Vec<(f64, f64)>) -> Self {
        Self { name, points, band: Vec::new(), dots: true }
    }
}

/// An axis from `low` to `high`, with ticks and how they are written.
struct Axis {
    name: &'static str,
    low: f64,
    high: f64,
    ticks: Vec<(f64, String)>,
    log: bool,
}

impl Axis {
    /// Shares from a round one below the smallest to 1.
    fn share(name: &'static str, values: impl Iterator<Item = f64>) -> Self {
        let least = values.filter(|v| v.is_finite()).fold(1.0, f64::min).clamp(0.0, 1.0);
        let step = if least < 0.45 { 0.2 } else { 0.1 };
        let low = (((least - 0.02) / step).floor() * step).max(0.0);
        let steps = ((1.0 - low) / step).round() as u32;
        let tick = |at: u32| {
            let value = low + f64::from(at) * step;
            (value, format!("{:.0}\u{a0}%", 100.0 * value))
        };
        Self { name, low, high: 1.0, ticks: (0..=steps).map(tick).collect(), log: false }
    }

    fn place(&self, value: f64) -> f64 {
        let of = |v: f64| if self.log { v.max(1.0).ln() } else { v };
        let width = of(self.high) - of(self.low);
        if width > 0.0 { (of(value) - of(self.low)) / width } else { 0.5 }
    }
}

fn line_chart(
    id: &str,
    title: &str,
    description: &str,
    x: &Axis,
    y: &Axis,
    series: &[Series],
    diagonal: bool,
) -> String {
    let mut svg = Svg::new(id, title, description, WIDTH, HEIGHT);
    let at_x = |v: f64| LEFT + x.place(v).clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT);
    let at_y = |v: f64| HEIGHT - BOTTOM - y.place(v).clamp(0.0, 1.0) * (HEIGHT - TOP - BOTTOM);
    for (value, name) in &y.ticks {
        svg.line("grid", (LEFT, at_y(*value)), (WIDTH - RIGHT, at_y(*value)));
        svg.text("tick", (LEFT - 5.0, at_y(*value) + 4.0), Anchor::End, name);
    }
    // Ticks that would run into each other are left out, the later first.
    let mut free = f64::NEG_INFINITY;
    for (value, name) in &x.ticks {
        let half = 3.6 * name.chars().count() as f64;
        let place = at_x(*value).min(WIDTH - half).max(LEFT);
        if place - half > free {
            svg.text("tick", (place, HEIGHT - BOTTOM + 16.0), Anchor::Middle, name);
            free = place + half;
        }
    }
    svg.line("axis", (LEFT, HEIGHT - BOTTOM), (WIDTH - RIGHT, HEIGHT - BOTTOM));
    svg.text("name", (f64::midpoint(LEFT, WIDTH), HEIGHT - 6.0), Anchor::Middle, x.name);
    svg.upright("name", (11.0, (TOP + HEIGHT - BOTTOM) / 2.0), y.name);
    if diagonal {
        let low = x.low.max(y.low);
        svg.line("ideal", (at_x(low), at_y(low)), (at_x(1.0), at_y(1.0)));
    }
    for (n, line) in series.iter().enumerate() {
        let xs = line.points.iter().map(|p| at_x(p.0));
        if !line.band.is_empty() {
            let upper = xs.clone().zip(&line.band).map(|(x, b)| (x, at_y(b.1)));
            let lower = xs.zip(&line.band).map(|(x, b)| (x, at_y(b.0)));
            let lower: Vec<_> = lower.collect();
            let area: Vec<_> = upper.chain(lower.into_iter().rev()).collect();
            svg.path(&format!("band s{n}"), &area, true);
        }
        let points: Vec<_> = line.points.iter().map(|p| (at_x(p.0), at_y(p.1))).collect();
        svg.path(&format!("line s{n}"), &points, false);
        for point in points.iter().filter(|_| line.dots) {
            svg.point(&format!("dot s{n}"), n, *point);
        }
    }
    if series.len() > 1 {
        for (n, line) in series.iter().enumerate() {
            let at = (LEFT + 12.0, HEIGHT - BOTTOM - 12.0 - 16.0 * (series.len() - 1 - n) as f64);
            svg.line(&format!("line s{n}"), (at.0 - 8.0, at.1 - 4.0), (at.0 + 12.0, at.1 - 4.0));
            svg.text("key", (at.0 + 18.0, at.1), Anchor::Start, line.name);
        }
    }
    svg.finish()
}

/// Accuracy beside that of simpler means, with intervals.
pub(super) fn baselines(id: &str, field: &Field) -> String {
    let ours = ("Deskhand", field.accuracy);
    let rows: Vec<_> = std::iter::once(ours)
        .chain(field.baselines.iter().map(|b| (b.name.as_str(), b.accuracy)))
        .collect();
    let step = 36.0;
    let height = 14.0 + step * rows.len() as f64;
    let said: Vec<String> =
        rows.iter().map(|(name, e)| format!("{name}: {}", percent(e.value))).collect();
    let mut svg = Svg::new(
        id,
        &format!("Share of right answers: Deskhand and simpler means, {}", field.name),
        &format!("A bar each. {}.", said.join("; ")),
        WIDTH,
        height,
    );
    let wide = WIDTH - 70.0;
    for (n, (name, accuracy)) in rows.iter().enumerate() {
        let y = 4.0 + step * n as f64;
        svg.text("key", (2.0, y + 11.0), Anchor::Start, &short(name, 58));
        svg.rect("track", (2.0, y + 15.0), (wide, 12.0));
        let class = if n == 0 { "bar ours" } else { "bar" };
        svg.rect(class, (2.0, y + 15.0), (wide * accuracy.value, 12.0));
        let (low, high) = (2.0 + wide * accuracy.low, 2.0 + wide * accuracy.high);
        svg.line("whisker", (low, y + 21.0), (high, y + 21.0));
        svg.line("whisker", (low, y + 17.0), (low, y + 25.0));
        svg.line("whisker", (high, y + 17.0), (high, y + 25.0));
        svg.text("key", (WIDTH - 2.0, y + 26.0), Anchor::End, &percent(accuracy.value));
    }
    svg.finish()
}

/// Coverage against precision, as promised and as it came.
pub(super) fn coverage(id: &str, field: &Field) -> String {
    let points = |curve: &[super::CurvePoint]| -> Vec<(f64, f64)> {
        curve.iter().map(|p| (p.coverage, p.precision)).collect()
    };
    let curves = [points(&field.curve.realised), points(&field.curve.promised)];
    let [realised, promised] = curves.clone();
    let mut series = vec![
        Series { dots: false, ..Series::line("as it came", realised) },
        Series { dots: false, ..Series::line("as foretold", promised) },
    ];
    let chosen: Vec<(f64, f64)> = field
        .operating
        .iter()
        .filter_map(|o| Some((o.coverage.value, o.precision?.value)))
        .collect();
    if !chosen.is_empty() {
        series.push(Series::line("operating points 98, 95, 90 %", chosen));
    }
    let y = Axis::share("right, of these", series.iter().flat_map(|s| &s.points).map(|p| p.1));
    let x = Axis::share("share of tickets labelled without a person", std::iter::once(0.0));
    let said: Vec<String> = field
        .operating
        .iter()
        .map(|o| {
            let precision = o
                .precision
                .map_or("none applied".to_owned(), |p| format!("{} right", percent(p.value)));
            format!(
                "asked for {}: {} labelled, {precision}",
                percent(o.target),
                percent(o.coverage.value)
            )
        })
        .collect();
    line_chart(
        id,
        &format!("Coverage against precision, {}", field.name),
        &format!("Precision falls as more tickets are labelled. {}.", said.join("; ")),
        &x,
        &y,
        &series,
        false,
    )
}

/// Confidence against accuracy.
pub(super) fn reliability(id: &str, field: &Field) -> String {
    let points: Vec<_> = field.reliability.iter().map(|b| (b.confidence, b.accuracy)).collect();
    let low = points.iter().flat_map(|p| [p.0, p.1]);
    let (x, y) =
        (Axis::share("what it says", low.clone()), Axis::share("how often it is right", low));
    let description = format!(
        "On the diagonal, what is said is what happens. The mean distance from it is {}; chance alone would leave up to {}.",
        percent(field.ece.value),
        percent(field.ece_if_calibrated)
    );
    let series = [Series::line("", points)];
    let title = format!("Reliability, {}", field.name);
    line_chart(id, &title, &description, &x, &y, &series, true)
}

/// Accuracy against labelled tickets.
pub(super) fn learning(id: &str, field: &Field) -> String {
    let points: Vec<_> =
        field.learning.iter().map(|p| (p.learned as f64, p.accuracy.value)).collect();
    let band: Vec<_> = field.learning.iter().map(|p| (p.accuracy.low, p.accuracy.high)).collect();
    growth(id, &format!("Learning curve, {}", field.name), points, band)
}

/// The beginning of that curve, from no labels on.
pub(super) fn cold_start(id: &str, field: &Field) -> String {
    let points: Vec<_> =
        field.cold_start.iter().map(|p| (p.learned.max(1) as f64, p.accuracy.value)).collect();
    let band: Vec<_> = field.cold_start.iter().map(|p| (p.accuracy.low, p.accuracy.high)).collect();
    growth(id, &format!("From no labels on, {}", field.name), points, band)
}

fn growth(id: &str, title: &str, points: Vec<(f64, f64)>, band: Vec<(f64, f64)>) -> String {
    let said: Vec<String> =
        points.iter().map(|p| format!("{} tickets: {}", count(p.0), percent(p.1))).collect();
    let ends = band.iter().flat_map(|b| [b.0, b.1]).collect::<Vec<_>>();
    let y = Axis::share("right", ends.into_iter());
    let (low, high) = (points.first().map_or(1.0, |p| p.0), points.last().map_or(2.0, |p| p.0));
    let ticks = points.iter().map(|p| (p.0, count(p.0))).collect();
    let x = Axis { name: "labelled tickets to learn from", low, high, ticks, log: true };
    let series = [Series { band, ..Series::line("", points) }];
    let description = format!("Share of right answers. {}.", said.join("; "));
    line_chart(id, title, &description, &x, &y, &series, false)
}

/// Accuracy month by month.
pub(super) fn months(id: &str, field: &Field) -> String {
    let months = &field.months;
    let at = |n: usize| n as f64;
    let points: Vec<_> =
        months.iter().enumerate().map(|(n, m)| (at(n), m.accuracy.value)).collect();
    let band: Vec<_> = months.iter().map(|m| (m.accuracy.low, m.accuracy.high)).collect();
    let said: Vec<String> =
        months.iter().map(|m| format!("{}: {}", m.month, percent(m.accuracy.value))).collect();
    let y = Axis::share("right", band.iter().map(|b| b.0));
    let ticks = months.iter().enumerate().map(|(n, m)| (at(n), m.month.clone())).collect();
    let high = at(months.len().saturating_sub(1)).max(1.0);
    let x =
        Axis { name: "month, by a model of the months before", low: 0.0, high, ticks, log: false };
    let series = [Series { band, ..Series::line("", points) }];
    let title = format!("Month by month, {}", field.name);
    let description = format!("Share of right answers. {}.", said.join("; "));
    line_chart(id, &title, &description, &x, &y, &series, false)
}

/// What was taken for what.
pub(super) fn confusion(id: &str, name: &str, confusion: &Confusion) -> String {
    let k = confusion.labels.len().max(1);
    let side = ((WIDTH - 150.0) / k as f64).min(26.0);
    let (left, top) = (WIDTH - side * k as f64 - 4.0, 34.0);
    let row_height = side.max(if k > 16 { 10.0 } else { 13.0 });
    let height = top + row_height * k as f64 + 8.0;
    let mut svg = Svg::new(
        id,
        &format!("Confusion matrix, {name}"),
        "A row for each true label, a column for each answer in the same order; the darker, the larger the share of the row. Labels that are taken for each other stand together. The numbers are in the table below.",
        WIDTH,
        height,
    );
    svg.text("name", (left, 11.0), Anchor::Start, "answer (numbered as the rows)");
    let text = if row_height < 12.0 { "tick tiny" } else { "tick" };
    for (r, label) in confusion.labels.iter().enumerate() {
        let y = top + row_height * r as f64;
        let name = format!("{} {}", short(label, 18), r + 1);
        svg.text(text, (left - 4.0, y + row_height * 0.5 + 3.5), Anchor::End, &name);
        if k <= 16 || (r + 1) % 5 == 0 || r == 0 {
            let x = left + side * (r as f64 + 0.5);
            svg.text("tick tiny", (x, top - 5.0), Anchor::Middle, &(r + 1).to_string());
        }
        let row = confusion.counts.get(r).map(Vec::as_slice).unwrap_or_default();
        let all: usize = row.iter().sum();
        for (c, n) in row.iter().enumerate() {
            let share = *n as f64 / all.max(1) as f64;
            let class = if r == c { "cell own" } else { "cell" };
            // The square root lets rare confusions be seen.
            let at = (left + side * c as f64, y);
            svg.shade(
                class,
                at,
                (side - 0.8, row_height - 0.8),
                (0.05 + 0.95 * share.sqrt()).min(1.0),
            );
        }
    }
    svg.finish()
}
