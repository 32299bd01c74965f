//! Small pieces that several pages share.

use jiff::Timestamp;
use maud::{Markup, html};

use crate::console::words::Words;
use crate::domain::{Decision, LabelDecision, Regime};
use crate::judge::Estimate;

/// A share as people read it: `91 %`; never 100 % of what is less.
pub(in crate::console) fn percent(share: f64) -> String {
    let rounded = (share * 100.0).round();
    let honest = if rounded >= 100.0 && share < 1.0 { 99.0 } else { rounded };
    format!("{honest:.0}\u{a0}%")
}

/// A figure with its interval: `91.2 % (88.0–93.6)`.
pub(in crate::console) fn estimate(figure: Estimate) -> String {
    let [value, low, high] = [figure.value, figure.low, figure.high].map(|x| 100.0 * x);
    format!("{value:.1}\u{a0}% ({low:.1}–{high:.1})")
}

/// A number with its thousands apart.
pub(in crate::console) fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// How long ago something was.
pub(in crate::console) fn age(words: &Words, at: Timestamp, now: Timestamp) -> Markup {
    let seconds = now.as_second().saturating_sub(at.as_second());
    let text = match seconds {
        ..60 => words.just_now.to_owned(),
        60..3_600 => (words.minutes_ago)(seconds / 60),
        3_600..86_400 => (words.hours_ago)(seconds / 3_600),
        _ => (words.days_ago)(seconds / 86_400),
    };
    html! { time datetime=(at) title=(instant(at)) { (text) } }
}

/// An instant as people read it.
pub(in crate::console) fn instant(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// What was decided about a label, as a badge: colour, sign and word say the same.
pub(in crate::console) fn decision(words: &Words, decision: Decision) -> Markup {
    let (class, sign, text) = match decision {
        Decision::Auto => ("auto", "✓", words.decision_auto),
        Decision::Suggest => ("suggest", "?", words.decision_suggest),
        Decision::Abstain => ("abstain", "–", words.decision_abstain),
    };
    html! { span.badge.{(class)} { span aria-hidden="true" { (sign) } " " (text) } }
}

/// How sure a label is: a number and a bar.
pub(in crate::console) fn certainty(probability: f32) -> Markup {
    let share = f64::from(probability).clamp(0.0, 1.0);
    html! {
        span.certainty {
            svg.bar viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" {
                rect.rail width="100" height="8" rx="4" {}
                rect.fill width=(format!("{:.0}", share * 100.0)) height="8" rx="4" {}
            }
            " " (percent(share))
        }
    }
}

/// Why a label is as sure as it is, in plain words.
pub(in crate::console) fn why(words: &Words, label: &LabelDecision) -> String {
    let mut said = match label.regime {
        Regime::Described => words.rests_on_descriptions.to_owned(),
        Regime::FewShot => words.rests_on_similar.to_owned(),
        Regime::Trained => {
            (words.rests_on_training)((f64::from(label.probability) * 100.0).round() as i64)
        }
    };
    if let Some(support) = label.support
        && let Some(name) = &label.label
    {
        said.push(' ');
        said.push_str(&(words.of_similar)(support.same, support.of, name));
    }
    if let Some(reason) = label.reason {
        said.push(' ');
        said.push_str(words.reason(reason));
    }
    said
}

/// A page that has nothing to show, and what to do about it.
pub(in crate::console) fn empty(title: &str, content: &Markup) -> Markup {
    html! { section.empty { h2 { (title) } (content) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nearly_certain_is_not_called_certain() {
        assert_eq!(percent(0.9997), "99\u{a0}%");
        assert_eq!(percent(1.0), "100\u{a0}%");
        assert_eq!(percent(0.914), "91\u{a0}%");
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(
            [0, 999, 1_000, 1_234_567].map(number).join(" "),
            "0 999 1\u{202f}000 1\u{202f}234\u{202f}567"
        );
    }
}
