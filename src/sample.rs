//! The sample history: a year of an invented company's tickets, built into the program.
//!
//! It is synthetic and its people are fictional; see `eval/sample/README.md`.

use std::collections::HashMap;

use crate::domain::{Article, ExternalRef, ResolvedTicket, Taxonomy, Ticket, TicketText};
use crate::exports::{self, ExportError, Options};

/// The system that sample tickets say they come from.
pub const SYSTEM: &str = "sample";

const TAXONOMY: &str = include_str!("../models/taxonomy/sample.toml");

/// One file a month.
const MONTHS: [&str; 12] = [
    include_str!("../eval/sample/2025-01.jsonl"),
    include_str!("../eval/sample/2025-02.jsonl"),
    include_str!("../eval/sample/2025-03.jsonl"),
    include_str!("../eval/sample/2025-04.jsonl"),
    include_str!("../eval/sample/2025-05.jsonl"),
    include_str!("../eval/sample/2025-06.jsonl"),
    include_str!("../eval/sample/2025-07.jsonl"),
    include_str!("../eval/sample/2025-08.jsonl"),
    include_str!("../eval/sample/2025-09.jsonl"),
    include_str!("../eval/sample/2025-10.jsonl"),
    include_str!("../eval/sample/2025-11.jsonl"),
    include_str!("../eval/sample/2025-12.jsonl"),
];

/// Its knowledge articles. One of them is out of date.
const ARTICLES: [&str; 12] = [
    include_str!("../eval/sample/articles/dell-wd19-dock-black-monitors.md"),
    include_str!("../eval/sample/articles/ferryman-stuck-at-waiting-for-rollout.md"),
    include_str!("../eval/sample/articles/followme-printing.md"),
    include_str!("../eval/sample/articles/globalprotect-vpn-install-and-repair.md"),
    include_str!("../eval/sample/articles/join-tb-corp-wifi.md"),
    include_str!("../eval/sample/articles/meridian-invoice-pdf-blank.md"),
    include_str!("../eval/sample/articles/meridian-messages-and-session-limit.md"),
    include_str!("../eval/sample/articles/move-your-authenticator-to-a-new-phone.md"),
    include_str!("../eval/sample/articles/power-bi-and-the-quarry-nightly-load.md"),
    include_str!("../eval/sample/articles/report-phishing-and-lost-devices.md"),
    include_str!("../eval/sample/articles/request-access.md"),
    include_str!("../eval/sample/articles/reset-your-okta-password.md"),
];

/// The company's labels.
///
/// # Panics
/// Never in a released build: a test reads it.
#[expect(clippy::expect_used, reason = "embedded at compile time and read by a test")]
pub fn taxonomy() -> Taxonomy {
    Taxonomy::from_toml(TAXONOMY).expect("the sample taxonomy")
}

/// Every knowledge article.
///
/// # Errors
/// Never in a released build: a test reads them.
pub fn articles() -> Result<Vec<Article>, ExportError> {
    let mut articles = Vec::new();
    for text in ARTICLES {
        let read = exports::read_articles("article.md", text.as_bytes())?;
        if let Some(fault) = read.faults.first() {
            return Err(ExportError::Unreadable(fault.to_string()));
        }
        articles.extend(read.articles);
    }
    Ok(articles)
}

/// Every ticket, oldest first.
///
/// # Errors
/// Never in a released build: a test reads them.
pub fn tickets() -> Result<Vec<ResolvedTicket>, ExportError> {
    let options = Options { system: SYSTEM.to_owned(), ..Options::default() };
    let mut tickets = Vec::new();
    for month in MONTHS {
        let export = exports::read(month.as_bytes(), &options)?;
        if let Some(fault) = export.faults.first() {
            return Err(ExportError::Unreadable(fault.to_string()));
        }
        tickets.extend(export.rows);
    }
    Ok(tickets)
}

/// The teams that a ticket went through, in turn, by its id; only of those that were handed over.
pub fn paths() -> HashMap<String, Vec<String>> {
    #[derive(serde::Deserialize)]
    struct Row {
        id: String,
        #[serde(default)]
        team_history: Vec<String>,
    }
    let rows = MONTHS.iter().flat_map(|month| month.lines());
    let rows = rows.filter_map(|line| serde_json::from_str::<Row>(line).ok());
    rows.filter(|row| !row.team_history.is_empty()).map(|row| (row.id, row.team_history)).collect()
}

/// Tickets that wait in the demo's queue: subject, message. Their writers are nobody.
const WAITING: [(&str, &str); 12] = [
    (
        "VPN drops every few minutes",
        "Working from home today. Since the update GlobalProtect disconnects every five minutes and I have a customer call at two.",
    ),
    (
        "invoice pdf is blank",
        "When I print an invoice from Meridian the PDF comes out empty. It worked last week.",
    ),
    (
        "New phone",
        "I got a new phone yesterday and now Okta asks for a code I don't have. Can't get into anything.",
    ),
    (
        "Drucker",
        "Mein Druckauftrag kommt nicht aus dem FollowMe-Drucker, obwohl ich die Karte davorhalte.",
    ),
    (
        "Monitors stay black at the dock",
        "Both screens stay black when I plug the laptop into the dock. Unplugging and plugging in again helps until lunch.",
    ),
    (
        "Please give me access to the finance share",
        "I start in controlling on Monday and need to read the month-end folder. My manager knows.",
    ),
    (
        "Strange mail about my mailbox being full",
        "It wants me to sign in to keep my mail. The sender looks odd. I have not clicked on anything.",
    ),
    (
        "Wi-Fi in the meeting room",
        "Nobody in the large meeting room gets on the Wi-Fi, while the corridor is fine. Visitors arrive at ten.",
    ),
    (
        "Power BI shows yesterday's figures",
        "The sales dashboard still has the day before yesterday. The board meets at noon.",
    ),
    (
        "locked out",
        "Password expired over the holidays and the reset page does not send me anything.",
    ),
    (
        "App crashes when I attach a photo",
        "Since version 4.8 the app closes as soon as I attach a photo to a work order. Every time.",
    ),
    (
        "New colleague next month",
        "We will have somebody new from the first. What do you need from me for laptop and accounts?",
    ),
];

/// What waits in the demo's queue.
pub fn waiting() -> Vec<Ticket> {
    let ticket = |(n, (subject, body)): (usize, (&str, &str))| Ticket {
        text: TicketText {
            subject: subject.to_owned(),
            body: body.to_owned(),
            messages: Vec::new(),
        },
        requester: None,
        created_at: None,
        source: Some(ExternalRef {
            system: SYSTEM.to_owned(),
            id: format!("waiting-{}", n + 1),
            url: None,
        }),
    };
    WAITING.into_iter().enumerate().map(ticket).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_article_says_what_it_is() {
        let (taxonomy, articles) = (taxonomy(), articles().unwrap());
        assert_eq!(articles.len(), 12);
        for article in &articles {
            assert!(article.id.starts_with("KB-") && article.updated_at.is_some());
            let category = article.category.as_deref().unwrap();
            assert!(taxonomy.category(category).is_some(), "{category}");
        }
    }

    #[test]
    fn every_label_is_in_the_taxonomy() {
        let (taxonomy, tickets) = (taxonomy(), tickets().unwrap());
        assert!(tickets.len() >= 600);
        for ticket in &tickets {
            let outcome = &ticket.outcome;
            let category = outcome.category.as_deref().unwrap();
            let team = outcome.team.as_deref().unwrap();
            assert!(taxonomy.category(category).is_some(), "{category}");
            assert!(taxonomy.team(team).is_some(), "{team}");
            assert!(taxonomy.priorities.contains(outcome.priority.as_ref().unwrap()));
            assert!(outcome.resolution.is_some() && ticket.ticket.created_at.is_some());
        }
    }
}
