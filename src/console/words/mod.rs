//! Every word of the console, in every language. A word that a language lacks does not compile.

mod de;
mod en;
mod reports;

use crate::domain::{
    Decision, DraftReason, ImportState, LabelField, Reason, RejectReason, Scope, Status,
};
pub(in crate::console) use reports::ReportWords;

macro_rules! words {
    ($($name:ident)*; $($number:ident($($given:ty),*))*) => {
        /// The words of one language.
        pub(in crate::console) struct Words {
            /// ISO 639-1.
            pub(in crate::console) code: &'static str,
            /// What its speakers call it.
            pub(in crate::console) own_name: &'static str,
            $(pub(in crate::console) $name: &'static str,)*
            $(pub(in crate::console) $number: fn($($given),*) -> String,)*
            /// What the pages about reports say.
            pub(in crate::console) reports: ReportWords,
            /// What scripts say, by name.
            scripts: &'static [(&'static str, &'static str)],
        }
    };
}

words! {
    skip_to_content
    main_navigation
    queue
    try_it
    quality
    policy
    bundles
    labels
    imports
    keys
    audit
    sign_in
    sign_out
    sign_in_help
    or_password
    admins_password
    signed_out
    provider_stale
    wrong_password
    name
    password
    switch_desk
    switch_desk_help
    switch
    language
    theme
    theme_system
    theme_light
    theme_dark
    set
    keyboard
    none
    any
    just_now
    decision_auto
    decision_suggest
    decision_abstain
    rests_on_descriptions
    rests_on_similar
    reason_low_confidence
    reason_novel
    reason_conflict
    reason_unsupported_language
    reason_empty
    reason_no_labels
    draft_no_similar_resolution
    draft_no_resolution_text
    draft_empty
    draft_uncertain_category
    draft_other_language
    draft_contradiction
    draft_sensitive
    reject_wrong_category
    reject_wrong_answer
    reject_out_of_date
    reject_tone
    reject_not_needed
    reject_other
    status_open
    status_approved
    status_edited
    status_rerouted
    status_rejected
    status_superseded
    state_receiving
    state_queued
    state_running
    state_done
    state_failed
    scope_triage
    scope_agent
    scope_lead
    scope_admin
    category
    categories
    categories_title
    team
    teams
    priority
    text_truncated
    index_missing
    nothing_similar
    similarity
    alike
    how_solved
    resolution_unknown
    no_subject
    model_from
    taken_from
    source_ticket
    source_article
    to_ask
    answered_in
    saved_views
    open_count
    safe_count
    found_count
    undo
    search
    certainty
    waiting
    state
    order
    newest_first
    urgent_first
    show
    clear
    save_view
    select_safe
    select
    approve_selected
    approve_selected_help
    pages
    newest
    older
    nothing_found
    no_history
    no_history_help
    try_a_ticket
    import_history
    all_done
    all_done_help
    done_edited
    done_rerouted
    done_rejected
    done_undone
    back_to_queue
    similar_tickets
    open_there
    thread
    somebody
    nothing_written
    show_rest
    show_original
    suggested
    likely
    all_others
    alternatives
    draft
    where_from
    reply
    difference
    never_sent
    approve
    approve_changed
    reroute
    skip
    reject
    reject_why
    superseded_help
    next_ticket
    typed_kept
    changed_meanwhile
    reroute_needs
    try_help
    subject
    message
    triage
    examples
    answer
    answer_appears
    empty_ticket
    starting
    starting_help
    try_again
    may_not
    may_not_help
    not_there
    not_there_help
    csrf_help
    went_wrong
    went_wrong_help
    of_bundle
    of_all
    active_bundle
    everything
    decisions
    since
    quality_help
    quality_cut
    no_decisions
    no_decisions_help
    approved_as_is
    overridden
    drafts_kept
    accuracy
    coverage
    precision
    too_few_for_chart
    reliability
    how_sure
    how_often_right
    as_table
    by_label
    policy_help
    target_precision
    target_help
    in_force
    save
    saved
    preview
    no_bundle
    no_bundle_help
    what_it_comes_to
    field_name
    coverage_predicted
    precision_held_out
    threshold
    held_out
    coverage_help
    never
    coverage_by_target
    bundles_help
    bundle
    active
    previous
    fitted
    labelled_tickets
    split
    data
    tickets
    roll_back
    activate
    bundle_answers
    imports_help
    file
    source_system
    upload
    imports_without_scripts
    earlier_imports
    no_imports
    no_imports_help
    rows_done
    taken
    unchanged_rows
    rejected_rows
    warnings
    line
    column
    import_of
    when
    who
    what
    to_what
    details
    audit_help
    keys_help
    first_key_closes
    key_made
    new_key
    key_for
    scope
    days_valid
    make_key
    no_keys
    last_used
    revoke
    revoked
    expired
    until
    key_refused
    version
    labels_help
    priorities_help
    new_team
    new_category
    department
    description
    examples_help
    overlaps
    overlaps_help
    ;
    minutes_ago(i64)
    hours_ago(i64)
    days_ago(i64)
    waiting_hours(i64)
    rests_on_training(i64)
    of_similar(u32, u32, &str)
    done_approved(usize)
    left_alone(usize)
    too_many_attempts(u64)
    too_many_sign_ins(u64)
    sign_in_with(&str)
    sign_out_there(&str)
    provider_help(&str)
    provider_down(&str)
    provider_cancelled(&str)
    provider_refused(&str)
    no_role(&str, &str)
    decided_meanwhile(&str, &str)
    others_look(&str)
}

/// All languages; the first is everybody's who asks for none of them.
pub(in crate::console) const ALL: [&Words; 2] = [&en::WORDS, &de::WORDS];

/// A language by its code.
pub(in crate::console) fn named(code: &str) -> Option<&'static Words> {
    ALL.into_iter().find(|words| words.code == code)
}

/// The first language that a browser asks for and there is.
pub(in crate::console) fn accepted(asked: &str) -> &'static Words {
    let mut wanted: Vec<(f32, &str)> = asked
        .split(',')
        .filter_map(|part| {
            let (tag, weight) = part.split_once(";q=").unwrap_or((part, "1"));
            let code = tag.trim().split('-').next()?;
            Some((weight.trim().parse().ok()?, code))
        })
        .collect();
    // Stable: of equally wanted ones the first.
    wanted.sort_by(|a, b| b.0.total_cmp(&a.0));
    wanted.into_iter().find_map(|(_, code)| named(code)).unwrap_or(ALL[0])
}

impl Words {
    /// What scripts say, as JSON.
    pub(in crate::console) fn for_scripts(&self) -> String {
        let words: serde_json::Map<String, serde_json::Value> =
            self.scripts.iter().map(|(name, word)| ((*name).to_owned(), (*word).into())).collect();
        serde_json::Value::Object(words).to_string()
    }

    pub(in crate::console) fn theme_name(&self, name: &str) -> &'static str {
        match name {
            "light" => self.theme_light,
            "dark" => self.theme_dark,
            _ => self.theme_system,
        }
    }

    pub(in crate::console) const fn field(&self, field: LabelField) -> &'static str {
        match field {
            LabelField::Category => self.category,
            LabelField::Team => self.team,
            LabelField::Priority => self.priority,
        }
    }

    pub(in crate::console) const fn decision(&self, of: Decision) -> &'static str {
        match of {
            Decision::Auto => self.decision_auto,
            Decision::Suggest => self.decision_suggest,
            Decision::Abstain => self.decision_abstain,
        }
    }

    pub(in crate::console) const fn reason(&self, of: Reason) -> &'static str {
        match of {
            Reason::LowConfidence => self.reason_low_confidence,
            Reason::Novel => self.reason_novel,
            Reason::Conflict => self.reason_conflict,
            Reason::UnsupportedLanguage => self.reason_unsupported_language,
            Reason::Empty => self.reason_empty,
            Reason::NoLabels => self.reason_no_labels,
        }
    }

    pub(in crate::console) const fn draft_reason(&self, of: DraftReason) -> &'static str {
        match of {
            DraftReason::NoSimilarResolution => self.draft_no_similar_resolution,
            DraftReason::NoResolutionText => self.draft_no_resolution_text,
            DraftReason::Empty => self.draft_empty,
            DraftReason::UncertainCategory => self.draft_uncertain_category,
            DraftReason::OtherLanguage => self.draft_other_language,
            DraftReason::Contradiction => self.draft_contradiction,
            DraftReason::Sensitive => self.draft_sensitive,
        }
    }

    pub(in crate::console) const fn reject_reason(&self, of: RejectReason) -> &'static str {
        match of {
            RejectReason::WrongCategory => self.reject_wrong_category,
            RejectReason::WrongAnswer => self.reject_wrong_answer,
            RejectReason::OutOfDate => self.reject_out_of_date,
            RejectReason::Tone => self.reject_tone,
            RejectReason::NotNeeded => self.reject_not_needed,
            RejectReason::Other => self.reject_other,
        }
    }

    pub(in crate::console) const fn status(&self, of: Status) -> &'static str {
        match of {
            Status::Open => self.status_open,
            Status::Approved => self.status_approved,
            Status::Edited => self.status_edited,
            Status::Rerouted => self.status_rerouted,
            Status::Rejected => self.status_rejected,
            Status::Superseded => self.status_superseded,
        }
    }

    pub(in crate::console) const fn import_state(&self, of: ImportState) -> &'static str {
        match of {
            ImportState::Receiving => self.state_receiving,
            ImportState::Queued => self.state_queued,
            ImportState::Running => self.state_running,
            ImportState::Done => self.state_done,
            ImportState::Failed => self.state_failed,
        }
    }

    pub(in crate::console) const fn scope_help(&self, of: Scope) -> &'static str {
        match of {
            Scope::Triage => self.scope_triage,
            Scope::Agent => self.scope_agent,
            Scope::Lead => self.scope_lead,
            Scope::Admin => self.scope_admin,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_gets_the_language_that_it_wants_most_of_those_there_are() {
        let code = |asked| accepted(asked).code;
        assert_eq!(code(""), "en");
        assert_eq!(code("de-AT,de;q=0.9,en;q=0.8"), "de");
        assert_eq!(code("fr,en;q=0.5,de;q=0.7"), "de");
        assert_eq!(code("fr-FR,*;q=0.1"), "en");
        assert_eq!(code("de;q=x,en"), "en");
    }

    #[test]
    fn every_language_says_everything_to_scripts() {
        let names = |words: &Words| words.scripts.iter().map(|(name, _)| *name).collect::<Vec<_>>();
        for words in ALL {
            assert_eq!(names(words), names(ALL[0]), "{}", words.code);
            assert!(words.scripts.iter().all(|(_, word)| !word.is_empty()));
        }
    }
}
