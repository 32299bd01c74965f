//! The words around passwords.

use std::collections::HashSet;
use std::sync::LazyLock;

/// A list of words.
pub(super) type Words = LazyLock<HashSet<&'static str>>;

/// The words of a text with blanks between them: lists stay readable that way.
pub(super) fn words(list: &'static str) -> HashSet<&'static str> {
    list.split_ascii_whitespace().collect()
}

/// A word that announces a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keyword {
    /// "password".
    Password,
    /// "PIN": digits.
    Pin,
    /// "pass": only before a colon or an equals sign.
    Sign,
    /// The first of several words, with the others that may follow; whether it is a PIN.
    Phrase(&'static [&'static [&'static str]], bool),
}

pub(super) fn keyword(word: &str) -> Option<Keyword> {
    Some(match word {
        "password" | "passwd" | "passwort" | "kennwort" | "pwd" | "pw" | "passphrase" | "mdp"
        | "contraseña" | "contrasena" | "senha" | "wachtwoord" | "lösenord" | "hasło" | "clave"
        | "losungswort" | "passw" | "psw" | "parola" | "adgangskode" | "passord" => {
            Keyword::Password
        }
        "pin" | "puk" | "passcode" | "pincode" | "zugangscode" | "entsperrcode" | "türcode" => {
            Keyword::Pin
        }
        "pass" | "psk" => Keyword::Sign,
        "mot" => Keyword::Phrase(&[&["de", "passe"]], false),
        "access" | "unlock" | "entry" | "door" => Keyword::Phrase(&[&["code"]], true),
        "wpa" | "wlan" | "wifi" | "fi" | "network" | "netzwerk" => {
            Keyword::Phrase(&[&["key"], &["schlüssel"], &["code"]], false)
        }
        "clé" | "clef" => Keyword::Phrase(&[&["wifi"], &["wpa"], &["wi", "fi"]], false),
        word => {
            let compound = ["passwort", "kennwort", "passwörter", "password", "passwd"];
            let key = ["netzwerkschlüssel", "wlanschlüssel", "sicherheitsschlüssel"];
            let is = compound.iter().any(|end| word.ends_with(end)) || key.contains(&word);
            return is.then_some(Keyword::Password);
        }
    })
}

/// Joins a keyword with its value.
pub(super) fn is_verb(word: &str) -> bool {
    static VERBS: Words = Words::new(|| {
        words(
            "\
        is was are reads equals ist lautet lautete war heißt heisst est était es era é är",
        )
    });
    VERBS.contains(word)
}

pub(super) fn is_present(word: &str) -> bool {
    ["is", "was", "ist", "war", "est", "es", "era"].contains(&word)
}

/// Stands between a keyword and its value without telling anything.
pub(super) fn is_filler(word: &str) -> bool {
    static FILLERS: Words = Words::new(|| {
        words(
            "\
        now still currently again actually set reset changed just the same jetzt nun noch wieder \
        aktuell momentan derzeit immer gerade einfach maintenant toujours actuellement actuel actual \
        aktuelle bitte please merci ahora actualmente siempre simply always temporarily vorläufig \
        provisoire temporal temporary initial code number nummer geändert zurückgesetzt gesetzt \
        changé cambiada like this wie folgt folgendes following auch also our your my mein today \
        heute vorübergehend definitiv",
        )
    });
    is_kind(word) || FILLERS.contains(word) || is_towards(word)
}

/// What kind of password it is: "new", "temporary".
pub(super) fn is_kind(word: &str) -> bool {
    static KINDS: Words = Words::new(|| {
        words(
            "\
        new old temp tmp temporary initial neu alt neues altes nouveau nueva temporär default",
        )
    });
    KINDS.contains(word)
}

/// "To", before what it is changed to or what it is for.
pub(super) fn is_towards(word: &str) -> bool {
    ["to", "auf", "en", "à", "a", "zu", "por", "par", "with", "mit"].contains(&word)
}

pub(super) fn is_preposition(word: &str) -> bool {
    static PREPOSITIONS: Words = Words::new(|| {
        words(
            "\
        for of on in at from für fürs von vom zum zur im am beim pour du de des sur del para al \
        della per voor i wifi wlan",
        )
    });
    PREPOSITIONS.contains(word)
}

/// Starts another thought: what follows is no longer about the password.
pub(super) fn is_conjunction(word: &str) -> bool {
    static CONJUNCTIONS: Words = Words::new(|| {
        words(
            "\
        and und et y but aber mais pero or oder ou o because when if that which dass wenn weil que \
        qui si cuando it he she we they ich er wir je il elle nous then dann after nach before since \
        seit depuis desde error fehler",
        )
    });
    CONJUNCTIONS.contains(word)
}

/// "Password manager", "password has expired": the value does not come.
pub(super) fn is_other_thing(word: &str) -> bool {
    static THINGS: Words = Words::new(|| {
        words(
            "\
        manager policy policies vault prompt hash hashes expiry expiration length change field box \
        tool portal page dialog dialogue history safe generator sync writeback filter spray attack \
        list file files database protected rules rule screen window link letter mail email expires \
        expired works worked does doesn did didn has hasn had have will won would can cannot must \
        should needs need keeps failed fails never not wrong incorrect invalid funktioniert geht \
        wird wurde hat habe läuft kann muss soll darf nicht abgelaufen falsch vergessen ne n a no ha \
        caduca expire expiré prompts last pad reader entry cracker request requests requirements \
        complexity strength age reuse management verwaltung richtlinie assembly out",
        )
    });
    THINGS.contains(word)
}

/// "My", "the new": between "is" and the keyword.
pub(super) fn is_determiner(word: &str) -> bool {
    static DETERMINERS: Words = Words::new(|| {
        words(
            "\
        my the our his her their your mein das dein unser sein ihr die der mon ma le la son votre mi \
        su el new old current neue neues aktuelle aktuelles alte altes nouveau nueva temporary \
        initial admin wifi wlan vpn windows login",
        )
    });
    DETERMINERS.contains(word)
}

/// Counted things: "is 12 characters long".
pub(super) fn is_unit(word: &str) -> bool {
    static UNITS: Words = Words::new(|| {
        words(
            "\
        character characters chars digits digit letters days day hours hour minutes min months month \
        weeks week years year times time attempts attempt tries zeichen stellen stellig stelligen \
        tage tagen tag stunden minuten monate wochen mal versuche versuchen caractères chiffres \
        jours jour heures mois fois tentatives caracteres dígitos días horas meses veces intentos of \
        von x users benutzer to bis or oder more mehr uhr",
        )
    });
    UNITS.contains(word)
}
