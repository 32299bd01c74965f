//! What is counted of every answer.

use metrics::{counter, histogram};

use crate::domain::{Decision, LabelDecision, Timings};

/// Counts an answer. Labels are stages and decisions, so their number is bounded.
pub(super) fn count(timings: &Timings, category: &LabelDecision) {
    let stages = [
        ("clean", timings.clean),
        ("embed", timings.embed),
        ("search", timings.search),
        ("decide", timings.decide),
    ];
    for (stage, milliseconds) in stages {
        histogram!("deskhand_triage_stage_duration_seconds", "stage" => stage)
            .record(f64::from(milliseconds) / 1e3);
    }
    let decision = match category.decision {
        Decision::Auto => "auto",
        Decision::Suggest => "suggest",
        Decision::Abstain => "abstain",
    };
    counter!("deskhand_suggestions_total", "decision" => decision).increment(1);
}
