//! Learning curves as one SVG that needs nothing else to be shown.

use std::fmt::Write;

use super::trainer::Epoch;

const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 220.0;
/// Around a panel, for its title and its axes' numbers.
const MARGIN: f64 = 44.0;

/// A line of a panel: its name, colour and one value an epoch.
type Line<'a> = (&'a str, &'a str, Vec<f64>);

/// Two panels: training losses, and validation accuracies beside the frozen encoder's.
pub(super) fn svg(history: &[Epoch], frozen: (f64, f64), best: usize) -> String {
    let of =
        |value: fn(&Epoch) -> f32| history.iter().map(|e| f64::from(value(e))).collect::<Vec<_>>();
    let mut losses: Vec<Line<'_>> = vec![("cross-entropy", "#1b6ca8", of(|e| e.cross_entropy))];
    if history.iter().any(|e| e.contrastive > 0.0) {
        losses.push(("contrastive", "#c2571a", of(|e| e.contrastive)));
    }
    let accuracies: Vec<Line<'_>> = vec![
        ("class vectors", "#1b6ca8", of(|e| e.head)),
        ("neighbours", "#c2571a", of(|e| e.neighbours)),
        ("planes, frozen", "#8fb8d6", vec![frozen.0; history.len()]),
        ("neighbours, frozen", "#e3b08f", vec![frozen.1; history.len()]),
    ];
    let mut out = String::new();
    let (width, height) = (2.0 * (WIDTH + 2.0 * MARGIN), HEIGHT + 2.0 * MARGIN);
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"{width}\" height=\"{height}\" \
         fill=\"white\"/>\n"
    );
    panel(&mut out, MARGIN, "Training loss", &losses, best);
    panel(&mut out, WIDTH + 3.0 * MARGIN, "Validation accuracy", &accuracies, best);
    out.push_str("</svg>\n");
    out
}

fn panel(out: &mut String, left: f64, title: &str, lines: &[Line<'_>], best: usize) {
    let values = || lines.iter().flat_map(|(_, _, values)| values.iter().copied());
    let (low, high) =
        (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    let span = (high - low).max(1e-3);
    let epochs = lines.first().map_or(1, |(_, _, values)| values.len());
    let x = |n: usize| left + WIDTH * (n as f64 + 0.5) / epochs as f64;
    let y = |value: f64| MARGIN + HEIGHT * (1.0 - (value - low) / span);
    let bottom = MARGIN + HEIGHT;
    let _ = writeln!(
        out,
        "<text x=\"{left}\" y=\"{:.1}\" font-size=\"13\">{title}</text>\n\
         <path d=\"M{left} {MARGIN}V{bottom}H{:.1}\" fill=\"none\" stroke=\"#888\"/>\n\
         <path d=\"M{:.1} {MARGIN}V{bottom}\" stroke=\"#bbb\" stroke-dasharray=\"3 3\"/>",
        MARGIN - 12.0,
        left + WIDTH,
        x(best),
    );
    for value in [low, low + span / 2.0, low + span] {
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{value:.3}</text>",
            left - 5.0,
            y(value) + 4.0
        );
    }
    for n in (0..epochs).step_by(epochs.div_ceil(10)) {
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            x(n),
            bottom + 16.0,
            n + 1
        );
    }
    for (row, (name, colour, values)) in lines.iter().enumerate() {
        let points: Vec<String> =
            values.iter().enumerate().map(|(n, v)| format!("{:.1},{:.1}", x(n), y(*v))).collect();
        let _ = writeln!(
            out,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            points.join(" ")
        );
        for point in points {
            let (x, y) = point.split_once(',').unwrap_or_default();
            let _ = writeln!(out, "<circle cx=\"{x}\" cy=\"{y}\" r=\"2.5\" fill=\"{colour}\"/>");
        }
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"{colour}\">{name}</text>",
            left + WIDTH - 4.0,
            bottom - 8.0 - 14.0 * row as f64
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_epoch_is_a_point_inside_the_picture() {
        let epoch = |n: u8| Epoch {
            cross_entropy: 2.0 / f32::from(n),
            contrastive: 0.0,
            head: 0.9 + f32::from(n) / 100.0,
            neighbours: 0.9,
        };
        let svg = svg(&(1..=25).map(epoch).collect::<Vec<_>>(), (0.88, 0.91), 24);
        assert_eq!(svg.matches("<polyline").count(), 5);
        assert_eq!(svg.matches("<circle").count(), 5 * 25);
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        for part in svg.split("cy=\"").skip(1) {
            let y: f64 = part.split('"').next().unwrap().parse().unwrap();
            assert!((MARGIN..=MARGIN + HEIGHT).contains(&y));
        }
        let flat = Epoch { cross_entropy: 1.0, contrastive: 1.0, head: 1.0, neighbours: 1.0 };
        assert!(!super::svg(&[flat], (1.0, 1.0), 0).contains("NaN"));
    }
}
