//! Telling what a desk writes for itself from what helps the next requester.

use std::sync::LazyLock;

use crate::text::Phrases;

/// How sentences begin that are for colleagues or about one conversation, in lower case.
const OPENINGS: [&str; 88] = [
    "called ",
    "phoned ",
    "rang ",
    "spoke ",
    "talked to ",
    "left a message",
    "left voicemail",
    "left a voicemail",
    "emailed ",
    "e-mailed ",
    "mailed ",
    "told ",
    "informed ",
    "escalated",
    "assigned to ",
    "reassigned",
    "forwarded to ",
    "handed over to ",
    "handed to ",
    "passed to ",
    "passed on to ",
    "moved to queue",
    "closed",
    "closing",
    "case closed",
    "ticket closed",
    "resolved.",
    "solved.",
    "fixed.",
    "done.",
    "works.",
    "duplicate of",
    "no answer",
    "no reply",
    "no response",
    "waiting for ",
    "awaiting ",
    "user ",
    "requester ",
    "caller ",
    "sorry",
    "apologies",
    "tested by ",
    "approved by ",
    "confirmed by ",
    "confirmed with ",
    "fyi",
    "internal",
    "note to self",
    "time spent",
    "by phone",
    "per phone",
    "same as tb-",
    "see ticket",
    "linked to ",
    "parent ticket",
    "merged ",
    "vendor case",
    "record is in",
    "list in ",
    "angerufen",
    "telefonat",
    "rückruf",
    "user informiert",
    "anwender informiert",
    "kunde informiert",
    "geschlossen",
    "erledigt",
    "weitergeleitet an",
    "weitergegeben an",
    "übergeben an",
    "siehe ticket",
    "mit dem anwender",
    "wartet auf",
    "gelöst.",
    "appelé",
    "rappelé",
    "utilisateur informé",
    "clos.",
    "fermé.",
    "transmis à",
    "en attente",
    "voir ticket",
    "résolu.",
    "llamado",
    "usuario informado",
    "cerrado",
    "avisado",
];

/// What such sentences say in the middle, in lower case, with blanks around.
const PHRASES: [&str; 30] = [
    " call-back ",
    " callback ",
    " voicemail ",
    " on the line ",
    " called back ",
    " will call ",
    " by phone ",
    " closed the ticket ",
    " closing the ticket ",
    " closed the case ",
    " told me ",
    " you told me ",
    " confirmed it works ",
    " confirmed that it works ",
    " is happy ",
    " was happy ",
    " second approver ",
    " no name here ",
    " under observation ",
    " for the record ",
    " telefonisch ",
    " hat bestätigt ",
    " zurückgerufen ",
    " ticket geschlossen ",
    " bestätigt dass ",
    " au téléphone ",
    " par téléphone ",
    " confirme que ",
    " por teléfono ",
    " ha confirmado ",
];

static SAID: LazyLock<Phrases> = LazyLock::new(|| Phrases::new(PHRASES));

/// At most so many words make a remark of a sentence that begins like one; longer ones also say
/// what was done.
const SHORT: usize = 9;

/// Whether a sentence is a remark of the desk's own ("called user, closed"), a bare status, or the
/// name of whoever wrote it.
pub(super) fn is_internal(sentence: &str) -> bool {
    let lower = sentence.to_lowercase();
    let plain = lower.trim_start_matches(['-', '–', '*', '•', ' ', '(']);
    let words = plain.split_whitespace().count();
    let mut padded = String::from(" ");
    for word in plain.split(|c: char| !c.is_alphanumeric() && c != '-').filter(|w| !w.is_empty()) {
        padded.push_str(word);
        padded.push(' ');
    }
    (words <= SHORT && OPENINGS.iter().any(|o| plain.starts_with(o)))
        || SAID.are_in(&padded)
        || is_signature(sentence)
        || is_status(&padded)
}

/// Whether a sentence names people and nothing else: who signed.
fn is_signature(sentence: &str) -> bool {
    let plain = sentence.trim_start_matches(['-', '–', '—', '~', ' ']).trim_end_matches('.');
    let words: Vec<&str> = plain.split_whitespace().collect();
    let name = |w: &&str| {
        w.chars().next().is_some_and(char::is_uppercase)
            && w.chars().all(|c| c.is_alphabetic() || ".-'’".contains(c))
    };
    // Two words with capitals may be a step ("Restart Outlook"), unless the first is a name.
    let first = words.first().map(|w| w.to_lowercase()).unwrap_or_default();
    let known =
        super::names::is_first_name(&first) || first.chars().count() == 2 && first.ends_with('.');
    (1..=3).contains(&words.len())
        && words.iter().all(name)
        && !sentence.ends_with(['!', '?', ':'])
        && (known || words.len() == 1 && !sentence.ends_with('.'))
}

/// One or two words that only say where a ticket stands.
fn is_status(padded: &str) -> bool {
    const WORDS: [&str; 26] = [
        "ok",
        "done",
        "fixed",
        "works",
        "working",
        "tested",
        "closed",
        "solved",
        "resolved",
        "again",
        "verified",
        "sorted",
        "all",
        "good",
        "now",
        "thanks",
        "erledigt",
        "getestet",
        "geht",
        "läuft",
        "wieder",
        "testé",
        "résolu",
        "probado",
        "resuelto",
        "confirmed",
    ];
    let words: Vec<&str> = padded.split_whitespace().collect();
    !words.is_empty() && words.len() <= 3 && words.iter().all(|w| WORDS.contains(w))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remarks_are_told_from_steps() {
        for remark in [
            "Called user, closed.",
            "Closed.",
            "Told Identity.",
            "Tested. Closed.",
            "Dagny",
            "– Yusuf",
            "R. Menon",
            "Ingrid Vael",
            "No answer on ext. 4402.",
            "Mit dem Anwender besprochen.",
            "Appelé Hugo.",
            "Identity by ext. call-back and Priya on the line.",
            "Works.",
            "Done!",
        ] {
            assert!(is_internal(remark), "{remark}");
        }
        for step in [
            "Remove the client.",
            "Install 6.2.6.",
            "Rebooted.",
            "Closed the old session in Okta, revoked its tokens and enrolled the phone anew.",
            "Open Settings > Apps",
            "Thank you for reaching out regarding the printer.",
            "User Account Control has to be on before the installer will start at all.",
            "Restart Outlook.",
        ] {
            assert!(!is_internal(step), "{step}");
        }
    }
}
