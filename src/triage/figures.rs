//! What is counted of every answer, and when the embedded index is outgrown.

use std::sync::atomic::{AtomicBool, Ordering};

use metrics::{counter, histogram};

use crate::domain::{Decision, LabelDecision, Timings};

/// A search that takes this long, in milliseconds, is most of what an answer costs.
const OUTGROWN: f32 = 50.0;

/// Counts an answer. Labels are stages and decisions, so their number is bounded.
pub(super) fn count(timings: &Timings, category: &LabelDecision) {
    static SAID: AtomicBool = AtomicBool::new(false);
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
    if timings.search > OUTGROWN && !SAID.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            milliseconds = timings.search,
            "a similarity search took long; if that is usual (see the search stage of \
             deskhand_triage_stage_duration_seconds), the index is outgrown and index.kind = \
             \"qdrant\" is worth a try"
        );
    }
}
