//! What went wrong, and what to do about it.

use maud::{Markup, html};

use super::Visit;
use super::layout::{self, Place};
use crate::http::{ApiError, ErrorCode};

pub(in crate::console) fn page(visit: &Visit, error: &ApiError) -> Markup {
    let w = visit.words;
    let code = error.code();
    let starting = code == ErrorCode::NotReady;
    let title = match code {
        ErrorCode::NotReady => w.starting,
        ErrorCode::Forbidden => w.may_not,
        ErrorCode::NotFound => w.not_there,
        _ => w.went_wrong,
    };
    let help = match code {
        ErrorCode::NotReady => w.starting_help,
        ErrorCode::Forbidden => w.may_not_help,
        ErrorCode::NotFound => w.not_there_help,
        ErrorCode::CsrfMismatch => w.csrf_help,
        _ => w.went_wrong_help,
    };
    let content = html! {
        section.empty data-starting[starting] {
            h1 { (title) }
            p { (help) }
            @if let Some(detail) = error.what() { p.quiet { (detail) } }
            p.quiet.small-print { (code.code()) }
            p { a.button href=(if starting { visit.here.as_str() } else { "/" }) {
                (if starting { w.try_again } else { w.back_to_queue })
            } }
        }
    };
    layout::page(
        visit,
        Place::Elsewhere,
        title,
        if starting { "starting" } else { "problem" },
        &content,
    )
}
