//! The result in words.

use super::super::Estimate;
use super::Report;
use super::field::Field;
use super::format::percent;

impl Report {
    /// The result in one sentence, from the first field that was judged.
    pub fn sentence(&self) -> String {
        match self.fields.first() {
            Some(report) => sentence(&report.field),
            None => "There was nothing to judge: see what was dropped, and why.".to_owned(),
        }
    }
}

fn sentence(field: &Field) -> String {
    let range =
        |e: Estimate| format!("{} ({:.0}–{:.0})", percent(e.value), 100.0 * e.low, 100.0 * e.high);
    let name = &field.name;
    let best = field.baselines.iter().max_by(|a, b| a.accuracy.value.total_cmp(&b.accuracy.value));
    let beside = best.map_or_else(String::new, |best| {
        let points = 100.0 * best.ahead.value;
        let beyond = best.ahead.low > 0.0 || best.ahead.high < 0.0;
        let what = if !beyond {
            "no surer than".to_owned()
        } else if points > 0.0 {
            format!("{points:.1} points more often than")
        } else {
            format!("{:.1} points less often than", -points)
        };
        format!(", {what} the best simple means ({})", best.name)
    });
    let all = format!("the likeliest {name} is right for {}{beside}", range(field.accuracy));
    let point =
        field.operating.iter().find(|o| (o.target - 0.95).abs() < 1e-9).filter(|o| o.applied > 0);
    match point {
        Some(point) => {
            let right = point.precision.map_or(0.0, |p| p.value);
            format!(
                "At 95\u{a0}% precision Deskhand would have set the {name} of {} of the {} judged tickets without a person, and been right in {} of these; over all of them {all}.",
                range(point.coverage),
                field.judged,
                percent(right),
            )
        }
        None => format!(
            "This history is no evidence yet that the {name} could be set at 95\u{a0}% precision without a person; as a suggestion {all}, and among the three likeliest for {}.",
            range(field.top3)
        ),
    }
}
