use std::collections::BTreeSet;

use super::super::doctor::{CatchAll, Contradiction, Example, Suspect};
use super::super::metrics::ReliabilityBin;
use super::*;

/// What a hostile export would call everything.
const EVIL: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}";

fn e(value: f64) -> Estimate {
    // Short numbers, which JSON keeps to the bit.
    let hundredths = |x: f64| (x * 100.0).round() / 100.0;
    Estimate { value, low: hundredths(value - 0.05), high: hundredths(value + 0.05).min(1.0) }
}

#[expect(clippy::too_many_lines, reason = "a list of all there is")]
fn field(name: &str) -> Field {
    let label = |n: usize| if n == 0 { EVIL.to_owned() } else { format!("label {n}") };
    Field {
        name: name.to_owned(),
        split: "the latest fifth is scored".to_owned(),
        labels: 3,
        learned: 800,
        judged: 200,
        accuracy: e(0.81),
        macro_f1: e(0.7),
        top3: e(0.93),
        ece: e(0.06),
        ece_if_calibrated: 0.05,
        baselines: vec![Baseline {
            name: "Keyword rules".to_owned(),
            accuracy: e(0.6),
            macro_f1: e(0.5),
            ahead: Estimate { value: 0.21, low: 0.15, high: 0.27 },
            p: 1e-9,
        }],
        operating: vec![
            OperatingPoint {
                target: 0.9,
                promised: e(0.6),
                coverage: e(0.58),
                precision: Some(e(0.92)),
                applied: 116,
                right: 107,
            },
            OperatingPoint {
                target: 0.95,
                promised: e(0.4),
                coverage: e(0.41),
                precision: Some(e(0.94)),
                applied: 82,
                right: 77,
            },
            OperatingPoint {
                target: 0.98,
                promised: e(0.05),
                coverage: e(0.05),
                precision: None,
                applied: 0,
                right: 0,
            },
        ],
        curve: Curve {
            promised: vec![
                CurvePoint { coverage: 0.1, precision: 1.0 },
                CurvePoint { coverage: 1.0, precision: 0.8 },
            ],
            realised: vec![
                CurvePoint { coverage: 0.2, precision: 0.97 },
                CurvePoint { coverage: 1.0, precision: 0.81 },
            ],
        },
        reliability: vec![ReliabilityBin {
            low: 0.3,
            high: 0.9,
            rows: 200,
            confidence: 0.75,
            accuracy: 0.81,
        }],
        confusion: Confusion {
            labels: (0..3).map(label).collect(),
            counts: vec![vec![50, 5, 1], vec![9, 60, 2], vec![0, 0, 73]],
        },
        classes: (0..3)
            .map(|n| Class {
                label: label(n),
                support: 60,
                learned: 200,
                precision: e(0.8),
                recall: e(0.7),
                f1: 0.75,
                coverage: 0.4,
            })
            .collect(),
        misroutes: vec![Misroute {
            truth: label(0),
            answer: label(1),
            tickets: 9,
            applied: 2,
            examples: vec![EVIL.to_owned()],
        }],
        effort: Effort {
            tickets_a_month: Some(1_234.0),
            minutes_a_triage: 3.0,
            minutes_a_misroute: 20.0,
            measured_misroute: Some(41.0),
        },
        learning: vec![
            LearningPoint { learned: 100, accuracy: e(0.6), macro_f1: 0.5 },
            LearningPoint { learned: 800, accuracy: e(0.81), macro_f1: 0.7 },
        ],
        gains: vec![Gain { label: label(0), from: 20, to: 200, f1_from: 0.4, f1_to: 0.75 }],
        cold_start: vec![
            ColdStart { per_label: 0, learned: 0, accuracy: e(0.3) },
            ColdStart { per_label: 5, learned: 15, accuracy: e(0.5) },
        ],
        months: (1..=3)
            .map(|m| Month {
                month: format!("2025-0{m}"),
                learned: 100,
                judged: 60,
                accuracy: e(0.7),
                coverage: 0.3,
                precision: None,
                unknown: 0.02,
            })
            .collect(),
    }
}

fn report() -> Report {
    let example = || Example { ticket: EVIL.to_owned(), subject: EVIL.to_owned() };
    let doctor = Doctor {
        tickets: 1_000,
        noise: 0.04,
        mislabelled: vec![Suspect {
            ticket: "T-1".to_owned(),
            subject: EVIL.to_owned(),
            label: EVIL.to_owned(),
            suggested: "label 1".to_owned(),
            given: 0.1,
            confidence: 0.8,
        }],
        contradictions: vec![Contradiction {
            subject: EVIL.to_owned(),
            labels: vec![(EVIL.to_owned(), 3), ("label 1".to_owned(), 1)],
            suggested: None,
            tickets: vec![(example(), EVIL.to_owned())],
        }],
        catch_alls: vec![CatchAll {
            label: EVIL.to_owned(),
            tickets: 9,
            by_name: true,
            would_go: vec![(EVIL.to_owned(), 4)],
            examples: vec![example()],
        }],
        ..Doctor::default()
    };
    let mut report = Report {
        title: EVIL.to_owned(),
        answer: String::new(),
        provenance: Provenance {
            made_at: "2025-06-01 10:00 UTC".to_owned(),
            command: format!("deskhand-eval report {EVIL}"),
            version: "0.1.0".to_owned(),
            encoder: "a".to_owned(),
            seed: 1,
            files: vec![InputFile { name: EVIL.to_owned(), bytes: 7, sha256: "ab".to_owned() }],
            machine: EVIL.to_owned(),
            threads: 2,
            seconds: vec![("embedding".to_owned(), 1.25)],
        },
        data: Data {
            tickets: 1_000,
            columns: vec![("subject".to_owned(), EVIL.to_owned())],
            left_out: vec![LeftOut { column: EVIL.to_owned(), why: "late".to_owned() }],
            dropped: vec![Dropped {
                what: "rows".to_owned(),
                count: 2,
                why: "bad".to_owned(),
                examples: vec![EVIL.to_owned()],
            }],
            ..Data::default()
        },
        warnings: vec![EVIL.to_owned()],
        fields: vec![
            FieldReport { field: field("category"), doctor: doctor.clone() },
            FieldReport { field: field("team"), doctor },
        ],
        similar: Some(Similar {
            queries: 200,
            among: 800,
            field: "category".to_owned(),
            first: e(0.6),
            among_five: e(0.8),
            by_chance: 0.3,
        }),
        drafts: Some(Drafts {
            tickets: 100,
            refused: e(0.4),
            reasons: vec![(EVIL.to_owned(), 3)],
            supported: e(0.95),
            overlap: e(0.2),
            overlap_nearest: e(0.15),
            median_ms: 0.8,
        }),
        latency: Some(Latency {
            tickets: 200,
            median_ms: 12.0,
            p95_ms: 20.0,
            p99_ms: 30.0,
            what: "all of it".to_owned(),
        }),
    };
    report.answer = report.sentence();
    report
}

/// Values of an attribute, in order.
fn attributes<'a>(page: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!(" {name}=\"");
    page.split(start.as_str()).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn nothing_of_an_export_becomes_markup() {
    let page = html(&report()).unwrap();
    assert!(page.contains("&lt;script&gt;alert(1)"), "it is shown");
    assert!(!page.contains("<script>alert") && !page.contains("<img"), "and stays text");
    assert_eq!(page.matches("<script").count(), 1, "one script, our own");
    assert!(page.contains("{{ 7*7 }}"), "no template of an export is rendered");
}

#[test]
fn the_page_opens_no_connection() {
    let page = html(&report()).unwrap();
    for name in ["src", "srcset", "action", "data", "poster"] {
        assert_eq!(attributes(&page, name), Vec::<&str>::new(), "{name}");
    }
    assert!(attributes(&page, "href").iter().all(|href| href.starts_with('#')));
    assert!(!page.contains("@import") && !page.contains("url("));
    assert!(page.contains("default-src &#x27;none&#x27;") || page.contains("default-src 'none'"));
}

#[test]
fn every_chart_is_told_in_words_and_has_its_numbers() {
    let page = html(&report()).unwrap();
    let charts = page.matches("<svg ").count();
    assert_eq!(charts, 14, "seven for each field");
    assert_eq!(page.matches("<title id=").count(), charts);
    assert_eq!(page.matches("<desc id=").count(), charts);
    assert_eq!(page.matches("role=\"img\"").count(), charts);
    // A table follows each figure before the next one.
    for figure in page.split("<figure>").skip(1) {
        assert!(figure.contains("<table"), "{}", &figure[..200.min(figure.len())]);
    }
    let ids = attributes(&page, "id");
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "an id stands once");
    for target in attributes(&page, "aria-labelledby").iter().flat_map(|t| t.split(' ')) {
        assert!(ids.contains(&target), "{target}");
    }
    for target in attributes(&page, "href") {
        assert!(ids.contains(&&target[1..]), "{target}");
    }
}

#[test]
fn the_answer_is_one_sentence_with_intervals() {
    let sentence = report().answer;
    let start = "At 95\u{a0}% precision Deskhand would have set the category of 41.0\u{a0}% (36–46) of \
                 the 200 judged tickets without a person, and been right in 94.0\u{a0}% of these";
    assert!(sentence.starts_with(start), "{sentence}");
    assert!(
        sentence.contains("21.0 points more often than the best simple means (Keyword rules)"),
        "{sentence}"
    );
    assert_eq!(sentence.matches(". ").count(), 0, "{sentence}");
    let mut none = report();
    none.fields[0].field.operating[1].applied = 0;
    assert!(none.sentence().starts_with("This history is no evidence yet"), "{}", none.sentence());
    none.fields.clear();
    assert!(none.sentence().contains("nothing to judge"));
}

#[test]
fn data_come_back_from_json_as_they_were() {
    let report = report();
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["fields"][0]["accuracy"]["value"], 0.81);
    assert_eq!(value["fields"][1]["doctor"]["mislabelled"][0]["ticket"], "T-1");
}

#[test]
fn a_report_without_curves_is_whole() {
    let mut report = report();
    for part in &mut report.fields {
        let field = &mut part.field;
        (field.learning, field.cold_start, field.months) = (vec![], vec![], vec![]);
        (field.gains, field.misroutes, field.curve) = (vec![], vec![], Curve::default());
        field.effort.tickets_a_month = None;
        part.doctor = Doctor::default();
    }
    (report.similar, report.drafts, report.latency) = (None, None, None);
    let page = html(&report).unwrap();
    assert!(
        page.contains("Nothing was found.")
            && page.contains("1,000 tickets (the export has no dates)")
    );
    assert!(!page.contains("NaN") && !page.contains(">inf"));
}
