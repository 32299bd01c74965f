//! Which language a ticket is written in.

use whatlang::{Detector, Lang};

/// The code for "too little text to tell", from ISO 639-2.
pub const UNDETERMINED: &str = "und";

/// Letters under which a guess is worth nothing.
const MIN_LETTERS: usize = 24;

/// Confidence under which a guess is dropped. At 0.3 about 1 % of short English tickets are still
/// taken for another language, and 3 % of all are left undetermined.
const MIN_CONFIDENCE: f64 = 0.3;

/// The languages told apart, with their ISO 639-1 codes. A closed list, because among all
/// languages a short English ticket full of product names is easily taken for another.
const LANGUAGES: [(Lang, &str); 20] = [
    (Lang::Eng, "en"),
    (Lang::Deu, "de"),
    (Lang::Fra, "fr"),
    (Lang::Spa, "es"),
    (Lang::Por, "pt"),
    (Lang::Ita, "it"),
    (Lang::Nld, "nl"),
    (Lang::Pol, "pl"),
    (Lang::Ces, "cs"),
    (Lang::Swe, "sv"),
    (Lang::Dan, "da"),
    (Lang::Tur, "tr"),
    (Lang::Rus, "ru"),
    (Lang::Ukr, "uk"),
    (Lang::Ell, "el"),
    (Lang::Ara, "ar"),
    (Lang::Heb, "he"),
    (Lang::Cmn, "zh"),
    (Lang::Jpn, "ja"),
    (Lang::Kor, "ko"),
];

/// The ISO 639-1 code of the text's language, or [`UNDETERMINED`].
pub fn detect(text: &str) -> &'static str {
    let letters = text.chars().filter(|c| c.is_alphabetic()).take(MIN_LETTERS).count();
    if letters < MIN_LETTERS {
        return UNDETERMINED;
    }
    // Two thousand characters settle it; the rest is only work.
    let head = text.char_indices().nth(2000).map_or(text, |(at, _)| &text[..at]);
    let detector = Detector::with_allowlist(LANGUAGES.iter().map(|&(lang, _)| lang).collect());
    detector
        .detect(head)
        .filter(|info| info.confidence() >= MIN_CONFIDENCE)
        .and_then(|info| LANGUAGES.iter().find(|&&(lang, _)| lang == info.lang()))
        .map_or(UNDETERMINED, |&(_, code)| code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_desks_languages_are_told_apart() {
        let texts = [
            ("en", "I cannot connect to the VPN from home since this morning, it times out"),
            ("de", "Ich kann mich seit heute Morgen nicht mehr am VPN anmelden, bitte um Hilfe"),
            ("fr", "Je n'arrive plus à me connecter au réseau depuis ce matin, merci de m'aider"),
            (
                "es",
                "Desde esta mañana no puedo conectarme a la VPN, siempre dice que la contraseña es incorrecta",
            ),
        ];
        for (code, text) in texts {
            assert_eq!(detect(text), code, "{text}");
        }
    }

    #[test]
    fn a_few_words_tell_nothing() {
        assert_eq!(detect("vpn dead again"), UNDETERMINED);
        assert_eq!(detect("😀😀😀 1234567890 1234567890 1234567890"), UNDETERMINED);
    }
}
