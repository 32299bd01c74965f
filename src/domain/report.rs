//! A back-test of an uploaded export.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::ReportId;

/// Where a report stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportState {
    /// Others are before it.
    Queued,
    /// It is being made.
    Running,
    /// It can be read.
    Done,
    /// The export cannot be judged.
    Failed,
    /// Somebody called it off.
    Cancelled,
    /// The service stopped before it was done.
    Interrupted,
}

/// The figure that a report is listed with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Headline {
    /// The kind of label that was judged first.
    pub field: String,
    /// The share whose likeliest label is right, 0 to 1.
    pub accuracy: f64,
    /// The lower end of its 95 % interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// The result in one sentence.
    pub answer: String,
}

/// A report and where it stands. What it says is kept apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReportRecord {
    /// Its id.
    pub id: ReportId,
    /// Where it stands.
    pub state: ReportState,
    /// The name of the file that was uploaded.
    pub file: String,
    /// Its length.
    pub bytes: u64,
    /// Who uploaded it.
    pub by: String,
    /// When.
    pub created_at: Timestamp,
    /// When its maker was last heard of.
    pub updated_at: Timestamp,
    /// Tickets that were read, once they are.
    pub tickets: Option<u64>,
    /// What it came to, once it is done.
    pub headline: Option<Headline>,
    /// Why it failed, for whoever uploaded the file.
    pub failure: Option<String>,
}

/// A maker that was silent for so long is gone.
const SILENT: SignedDuration = SignedDuration::from_secs(20);

impl ReportRecord {
    /// Whether nothing more will become of it.
    pub const fn ended(&self) -> bool {
        !matches!(self.state, ReportState::Queued | ReportState::Running)
    }

    /// As it stands now: one whose maker has gone was interrupted, though nobody was left to say so.
    #[must_use]
    pub fn as_of(mut self, now: Timestamp) -> Self {
        if !self.ended() && now.duration_since(self.updated_at) > SILENT {
            self.state = ReportState::Interrupted;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_report_whose_maker_has_gone_is_not_under_way_for_ever() {
        let at = Timestamp::UNIX_EPOCH;
        let record = |state| ReportRecord {
            id: ReportId::new(Uuid::nil()),
            state,
            file: "tickets.csv".to_owned(),
            bytes: 1,
            by: "lead".to_owned(),
            created_at: at,
            updated_at: at,
            tickets: None,
            headline: None,
            failure: None,
        };
        let after = |state, seconds| {
            record(state).as_of(at.checked_add(SignedDuration::from_secs(seconds)).unwrap()).state
        };
        for state in [ReportState::Queued, ReportState::Running] {
            assert_eq!((after(state, 0), after(state, 20)), (state, state));
            assert_eq!(after(state, 21), ReportState::Interrupted);
        }
        for state in [ReportState::Done, ReportState::Failed, ReportState::Cancelled] {
            assert_eq!(after(state, 100_000), state);
        }
    }
}
