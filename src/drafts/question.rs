//! What a ticket leaves open: one question that would help to answer it.

/// What may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fact {
    Error,
    Device,
    Since,
}

/// A ticket of more letters than this has said what it had to say.
const LONG: usize = 600;

/// Signs that a fact is there, in the desk's languages and in lower case.
const SIGNS: [(Fact, &[&str]); 3] = [
    (
        Fact::Error,
        &[
            "error",
            "fehler",
            "erreur",
            "fallo",
            "code ",
            "message",
            "meldung",
            "says",
            "\"",
            "“",
            "„",
            "«",
            "0x",
            "http ",
            "exception",
            "denied",
            "timeout",
            "timed out",
            "mensaje",
        ],
    ),
    (
        Fact::Device,
        &[
            "laptop",
            "notebook",
            "macbook",
            " mac",
            "windows",
            "iphone",
            "android",
            "ipad",
            "phone",
            "printer",
            "drucker",
            "handy",
            "telefon",
            "browser",
            "chrome",
            "firefox",
            "edge",
            "server",
            "monitor",
            "dock",
            "portátil",
            "móvil",
            "imprimante",
            "impresora",
            "ordinateur",
            "rechner",
            "linux",
            "tablet",
            "router",
            "headset",
        ],
    ),
    (
        Fact::Since,
        &[
            "since",
            "yesterday",
            "today",
            "this morning",
            "last week",
            " ago",
            "monday",
            "tuesday",
            "wednesday",
            "thursday",
            "friday",
            "after the update",
            "seit",
            "gestern",
            "heute",
            "depuis",
            "hier",
            "aujourd",
            "ce matin",
            "desde",
            "ayer",
            "hoy",
            "esta mañana",
            "now",
        ],
    ),
];

/// The question for the first fact that is missing, in the ticket's language; `None` where the
/// ticket says them all, is long, or asks for something rather than reporting a fault.
pub(super) fn question(ticket: &str, language: &str) -> Option<&'static str> {
    if ticket.chars().count() > LONG || ticket.trim().is_empty() {
        return None;
    }
    let lower = format!(" {} ", ticket.to_lowercase());
    let missing = |fact: Fact| {
        let signs = SIGNS.iter().find(|(f, _)| *f == fact).map_or(&[][..], |(_, signs)| *signs);
        !signs.iter().any(|sign| lower.contains(sign))
    };
    let fact = [Fact::Error, Fact::Device, Fact::Since].into_iter().find(|f| missing(*f))?;
    Some(match (fact, language) {
        (Fact::Error, "de") => "Welche Meldung erscheint genau, und was tun Sie unmittelbar davor?",
        (Fact::Device, "de") => "Auf welchem Gerät und mit welchem Programm geschieht das?",
        (Fact::Since, "de") => "Seit wann ist das so, und was hat sich vorher geändert?",
        (Fact::Error, "fr") => {
            "Quel message s'affiche exactement, et que faites-vous juste avant ?"
        }
        (Fact::Device, "fr") => "Sur quel appareil et avec quel programme cela se produit-il ?",
        (Fact::Since, "fr") => "Depuis quand, et qu'est-ce qui a changé avant ?",
        (Fact::Error, "es") => "¿Qué mensaje aparece exactamente y qué hace justo antes?",
        (Fact::Device, "es") => "¿En qué dispositivo y con qué programa ocurre?",
        (Fact::Since, "es") => "¿Desde cuándo ocurre y qué cambió antes?",
        (Fact::Error, _) => {
            "What exactly does it say when it goes wrong, and what do you do just before?"
        }
        (Fact::Device, _) => "On which device and in which program does this happen?",
        (Fact::Since, _) => "Since when does this happen, and what changed before it began?",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_missing_fact_is_asked_for() {
        let about = |ticket, language| question(ticket, language).unwrap_or_default();
        assert!(about("vpn broken", "en").starts_with("What exactly"));
        assert!(about("vpn says denied", "en").starts_with("On which device"));
        assert!(about("VPN am Laptop meldet Fehler 12", "de").starts_with("Seit wann"));
        assert_eq!(question("my laptop says error 5 since yesterday", "en"), None);
        assert_eq!(question(&"words ".repeat(200), "en"), None);
        assert_eq!(question(" ", "en"), None);
    }
}
