//! Figures as people read them.

use super::super::Estimate;

/// `94.6 %`.
pub(super) fn percent(share: f64) -> String {
    if share.is_finite() { format!("{:.1}\u{a0}%", 100.0 * share) } else { "–".to_owned() }
}

/// `94.6 % (94.0–95.1)`.
pub(super) fn estimate(e: Estimate) -> String {
    format!("{} ({:.1}–{:.1})", percent(e.value), 100.0 * e.low, 100.0 * e.high)
}

/// `33,485`.
pub(super) fn count(n: f64) -> String {
    let digits = format!("{:.0}", n.abs());
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if n < 0.0 && digits != "0" { format!("−{out}") } else { out }
}

/// At most so many characters, with an ellipsis where there were more.
pub(super) fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let cut: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", cut.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_people_write_them() {
        assert_eq!(count(1_234_567.0), "1,234,567");
        assert_eq!(
            (count(-1_000.4), count(999.0), count(-0.2)),
            ("−1,000".to_owned(), "999".to_owned(), "0".to_owned())
        );
        assert_eq!(percent(0.9456), "94.6\u{a0}%");
        assert_eq!(percent(f64::NAN), "–");
        assert_eq!(
            estimate(Estimate { value: 0.5, low: 0.4, high: 0.612 }),
            "50.0\u{a0}% (40.0–61.2)"
        );
        assert_eq!(short("Grüße aus Köln", 6), "Grüße…");
    }
}
