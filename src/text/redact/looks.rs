//! What a password looks like.

use super::words::{Words, is_unit, words};

/// What a text is made of.
#[derive(Debug)]
pub(super) struct Looks<'a> {
    text: &'a str,
    digits: usize,
    letters: usize,
    /// Marks that words do not have.
    marks: usize,
    capital_inside: bool,
    has_small: bool,
    other: bool,
}

impl<'a> Looks<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let mut looks = Self {
            text,
            digits: 0,
            letters: 0,
            marks: 0,
            capital_inside: false,
            has_small: false,
            other: false,
        };
        // The marks at the end may be the sentence's.
        let last = text.trim_end_matches(['!', '?']).chars().count();
        for (i, c) in text.chars().enumerate() {
            if c.is_ascii_digit() {
                looks.digits += 1;
            } else if c.is_alphabetic() {
                looks.letters += 1;
                looks.capital_inside |= looks.has_small && c.is_uppercase();
                looks.has_small |= c.is_lowercase();
            } else if "!@#$%^&*+=~§€?|".contains(c) && (i < last || looks.digits > 0) && i > 0
                || (i == 0 && "!@#$%^&*+~§€".contains(c))
            {
                looks.marks += 1;
            } else {
                looks.other = true;
            }
        }
        looks
    }

    /// Neither empty nor a place for one, an address, a code or a date.
    pub(super) fn possible(&self) -> bool {
        let text = self.text;
        let template = text.starts_with(['<', '{', '[', '('])
            || text.starts_with("${")
            || (text.starts_with('%') && text.chars().count() <= 3)
            || (text.starts_with('$')
                && text.chars().skip(1).all(|c| c.is_ascii_uppercase() || c == '_'));
        let address = text.contains("://") || text.starts_with("www.") || text.contains('\\');
        let code = text.starts_with("0x") || text.starts_with("0X");
        self.digits + self.letters > 0 && !template && !address && !code
    }

    /// Digits, marks or capitals where words have none.
    pub(super) fn marked(&self) -> bool {
        self.digits > 0 || self.marks > 0 || self.capital_inside || (self.other && self.letters > 3)
    }

    pub(super) fn letters(&self) -> bool {
        self.digits == 0 && self.marks == 0
    }

    /// Clearly no word of a sentence.
    pub(super) fn strong(&self) -> bool {
        if self.letters == 0 || self.is_ordinary_name() || self.is_measure() {
            return false;
        }
        self.digits > 0 || self.marks > 0 || (self.capital_inside && !self.other)
    }

    pub(super) fn is_number(&self, least: usize) -> bool {
        self.digits >= least && self.digits == self.text.len() && self.digits <= 16
    }

    pub(super) fn is_pin(&self) -> bool {
        let digits = self.text.chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | '#' | '*'));
        digits && (4..=12).contains(&self.digits)
    }

    /// A number of something, if a unit follows.
    pub(super) fn is_count(&self) -> bool {
        self.digits > 0 && self.digits < 4 && self.letters == 0
    }

    /// `INC0012345`, `KB5034441`, `WS-1180`, `2.3.1`, `vault.kdbx`.
    pub(super) fn is_identifier(&self) -> bool {
        let capitals = self.text.chars().take_while(char::is_ascii_uppercase).count();
        let rest: &str = self.text.get(capitals..).unwrap_or_default();
        let rest = rest.trim_start_matches(['-', '#']);
        (capitals > 0 && rest.chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | '.')))
            && self.digits > 0
    }

    /// `3rd`, `8-stellig`, `90days`, `12.03.2024`, `v2.3`.
    fn is_measure(&self) -> bool {
        let digits = self.text.chars().take_while(char::is_ascii_digit).count();
        let rest = self.text.get(digits..).unwrap_or_default().trim_start_matches('-');
        let small = ["st", "nd", "rd", "th", "x", "d", "h", "m", "min", "s", "er", "bit"];
        let measure = digits > 0
            && (rest.is_empty()
                || is_unit(rest)
                || small.contains(&rest)
                || rest.ends_with("stellig")
                || rest.ends_with("stelliges")
                || rest.ends_with("character"));
        let version =
            self.text.trim_start_matches('v').chars().all(|c| c.is_ascii_digit() || c == '.');
        measure || version
    }

    /// Products and terms with digits or capitals inside, and files.
    fn is_ordinary_name(&self) -> bool {
        static NAMES: Words = Words::new(|| {
            words(
                "\
            2fa mfa o365 m365 office365 windows10 windows11 win10 win11 w10 w11 sap2000 s4hana \
            s/4hana ipv4 ipv6 sha256 sha1 md5 base64 aes256 oauth2 saml2 sharepoint onedrive keepass \
            keepassxc lastpass 1password cyberark bitlocker onenote powerbi globalprotect anyconnect \
            iphone ipad icloud github gitlab linkedin macbook vmware servicenow yubikey onelogin \
            docusign autocad teamviewer wordpress javascript paypal wifi filevault mysql postgresql \
            sql2019 youtube activedirectory datev mcafee forticlient bitwarden dashlane web2print \
            crm2016 ledgerline",
            )
        });
        static FILES: Words = Words::new(|| {
            words(
                "\
            xlsx xls txt docx doc pdf kdbx msi exe log png csv json yaml yml xml ini conf zip ps1 sh \
            js com org net de html",
            )
        });
        let lower = self.text.to_lowercase();
        let stem = lower.trim_end_matches(['!', '?']);
        let file = lower.rsplit_once('.').is_some_and(|(_, end)| FILES.contains(end));
        NAMES.contains(stem) || file || lower.ends_with("'s") || lower.contains("(s)")
    }

    /// A word that stands where a value would, and is none.
    pub(super) fn is_everyday(&self) -> bool {
        static WORDS: Words = Words::new(|| {
            words(
                "\
            expired expires wrong incorrect invalid required forgotten forgot unknown changed reset \
            locked blocked rejected accepted missing empty none null true false yes no not same see \
            below above here there correct right ok okay nothing still again always never please \
            help urgent error failed failure denied login username user password passwort kennwort \
            contraseña hidden redacted removed optional mandatory default policy they there's this \
            that what when which where why with without short weak strong enabled disabled \
            abgelaufen falsch ungültig vergessen unbekannt geändert gesperrt fehlt leer keins keines \
            kein nein bitte siehe unten oben gleich dasselbe richtig korrekt immer wieder nicht noch \
            hilfe dringend fehler benutzer erforderlich läuft geht weg zurückgesetzt wird wurde \
            kommt zurücksetzen ändern expiré incorrecte oublié invalide erroné perdu inconnu bloqué \
            changé requis voir dessous aucun vide même toujours refusé erreur caducada incorrecta \
            olvidada inválida errónea desconocida igual ninguna vacía cambiada bloqueada requerida \
            misma siempre abajo rechazada ayuda urgente temporary initial confidential secret \
            private n/a tbd asap thanks danke merci gracias anything something everyone nobody \
            question problem problema problème issue frage done pending requested sent attached \
            separately separat later call phone sms email mail stored unchanged unverändert my your \
            ours mine visible visible? letters keine nothing's can't cannot won't doesn't didn't \
            isn't wasn't couldn't it's i'm i've that's n'est c'est j'ai",
            )
        });
        let lower = self.text.to_lowercase();
        let word = lower.trim_matches(|c: char| !c.is_alphanumeric());
        self.digits == 0 && (WORDS.contains(word) || word.chars().count() < 4)
    }
}

/// Words in quotation marks as a password: most of them are not of everyday.
pub(super) fn is_passphrase(text: &str) -> bool {
    let words: Vec<Looks<'_>> = text.split(' ').map(Looks::of).collect();
    let everyday = words.iter().filter(|word| word.is_everyday()).count();
    (2..=8).contains(&words.len()) && everyday * 2 < words.len()
}
