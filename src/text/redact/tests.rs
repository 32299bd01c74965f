use proptest::prelude::*;

use super::*;

fn redacted(text: &str) -> String {
    Rules::default().redact(text).into_owned()
}

/// Each text, with what stands in brackets as the stretch that is to go: `kind|secret`.
fn check(cases: &[&str]) {
    for case in cases {
        let (mut text, mut expected) = (String::new(), String::new());
        for (i, part) in case.split(['⟨', '⟩']).enumerate() {
            if let Some((kind, secret)) = part.split_once('|').filter(|_| i % 2 == 1) {
                text.push_str(secret);
                expected.extend(["[", kind, "]"]);
            } else {
                text.push_str(part);
                expected.push_str(part);
            }
        }
        assert_eq!(redacted(&text), expected, "{text}");
    }
}

#[test]
fn a_sentence_stays_readable() {
    check(&[
        "Mail ⟨email|ann+desk@mail.example.org⟩, mailto:⟨email|jürgen@example.de⟩.",
        "Server ⟨ip|192.0.2.7⟩:443 and ⟨ip|2001:db8::7⟩/64 in ⟨ip|10.0.0.0⟩/8",
        "postgres://⟨token|app:hunter2⟩@db.example.org/x",
        "Authorization: Bearer ⟨token|abcdefgh12345678.xyz⟩",
        "my password is ⟨password|Sommer2024!⟩ since Monday",
        "IBAN ⟨iban|DE89 3704 0044 0532 0130 00⟩, card ⟨card|4111-1111-1111-1111⟩ 12/27",
        "call ⟨phone|+1 (415) 555-0132 ext. 7⟩ or ⟨phone|020 7946 0018⟩",
    ]);
}

#[test]
fn numbers_of_things_stay() {
    for text in [
        "0x80070005 KB5034441 10.0.19045.3803 6.2.6-c77",
        "12.03.2025 14:30, 2025-03-12T14:30:00+01:00, 03/2025 - 04/2025",
        "version 10.1.2.3, firmware 2.1.0.4, v1.2.3.4, 127.0.0.1:80, mask 255.255.255.0",
        "00:1A:2B:3C:4D:5E 50:06:01:60:3b:a0:12:f4 ace::dead std::io",
        "order 4155550123, serial 0123456789, INC0048213, #4155550123, PO-415-555-0100",
        "+10 % of 1 250 000 or 650 000 000 EUR, +5 monitors, VC++ 2015-2022",
        "so 30 and 31 December jumped to 2025",
        "sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "550e8400-e29b-41d4-a716-446655440000",
    ] {
        assert_eq!(redacted(text), text);
    }
}

#[test]
fn talk_about_passwords_stays() {
    for text in [
        "my password is not working, the password was reset, password is required",
        "password is expired!! password policy is strict, password is 12 characters long",
        "Das Passwort ist seit 3 Tagen abgelaufen. Passwort vergessen!",
        "Le mot de passe est incorrect. La contraseña es demasiado corta.",
        "password: expired; password: ********; password: <your password>; password=${PW}",
        "password manager is KeePass, password is 2FA protected, password for account 4711",
        "Please reset PIN for voicemail 4471. The PIN is blocked.",
    ] {
        assert_eq!(redacted(text), text);
    }
}

#[test]
fn other_scripts_digits_and_odd_separators_hide_nothing() {
    check(&[
        "⟨phone|٠٢٠ ٧٩٤٦ ٠٠١٨⟩",
        "⟨phone|+44\u{a0}20\u{2009}7946\u{202f}0233⟩",
        "⟨card|4111–1111–1111–1111⟩",
        "⟨card|4111 11\u{200b}11 1111 1111⟩",
        "⟨ip|１９２．０．２．９⟩",
        "⟨email|ann＠example．org⟩",
    ]);
}

#[test]
fn private_keys_go_whole_and_certificates_stay() {
    let text = "-----BEGIN RSA PRIVATE KEY-----\nMIIEfake0\nfake-----END RSA PRIVATE KEY-----";
    assert_eq!(redacted(text), text, "too short to be one");
    let key = "MIIEFAKEFAKE0000FAKEFAKE\nFAKE1111FAKE";
    let text = format!("-----BEGIN PRIVATE KEY-----\n{key}\n-----END PRIVATE KEY-----");
    assert_eq!(redacted(&text), text.replace(key, "[token]"));
    let cut = format!("see -----BEGIN PRIVATE KEY-----\n{key}");
    assert_eq!(redacted(&cut), cut.replace(key, "[token]"));
    let certificate = text.replace("PRIVATE KEY", "CERTIFICATE");
    assert_eq!(redacted(&certificate), certificate);
}

#[test]
fn finds_are_in_order_apart_and_on_character_borders() {
    let text = "ä ann@example.org ö 192.0.2.7 ü +49 30 23125 123";
    let found = Rules::default().find(text);
    let stretches: Vec<_> = found.iter().map(|f| (f.kind.name(), &text[f.start..f.end])).collect();
    assert_eq!(
        stretches,
        [("email", "ann@example.org"), ("ip", "192.0.2.7"), ("phone", "+49 30 23125 123")]
    );
}

fn settings(off: &[&str], custom: &[(&str, &str)]) -> RuleSettings {
    RuleSettings {
        off: off.iter().map(|name| (*name).to_owned()).collect(),
        custom: custom
            .iter()
            .map(|(name, pattern)| CustomRule {
                name: (*name).to_owned(),
                pattern: (*pattern).to_owned(),
            })
            .collect(),
    }
}

#[test]
fn rules_can_be_switched_off_and_added() {
    let text = "EMP-004417 ann@example.org 192.0.2.7";
    let rules = Rules::new(&settings(&["ip"], &[("employee", r"\bEMP-\d{6}\b")])).unwrap();
    assert_eq!(rules.redact(text), "[employee] [email] 192.0.2.7");
    assert_eq!(rules.redact(&rules.redact(text)), rules.redact(text));
}

#[test]
fn own_rules_leave_placeholders_alone() {
    for pattern in [r"\w+", ".", "^.+$", "email", r"\]", "x*", "(?s).*"] {
        let rules = Rules::new(&settings(&[], &[("own", pattern)])).unwrap();
        let once = rules.redact("see ann@example.org and [email] x").into_owned();
        assert_eq!(rules.redact(&once), once, "{pattern}");
    }
}

#[test]
fn bad_settings_are_named() {
    let error = |off: &[&str], custom: &[(&str, &str)]| {
        Rules::new(&settings(off, custom)).unwrap_err().to_string()
    };
    assert!(error(&["ssn"], &[]).contains("\"ssn\": there is no such kind; there are email,"));
    assert!(error(&[], &[("email", "x")]).contains("built-in"));
    assert!(error(&[], &[("No", "x")]).contains("a-z"));
    assert!(error(&[], &[("open", "(")]).starts_with("redaction rule \"open\": "));
    assert!(error(&[], &[("large", r"\w{500}{500}")]).contains("size limit"));
    assert!(
        error(&[], &[("deep", &format!("{}x{}", "(".repeat(99), ")".repeat(99)))]).contains("nest")
    );
    assert!(error(&[], &[("x", "x"); 65]).contains("64"));
    let unknown = serde_json::from_str::<RuleSettings>(r#"{"of": []}"#);
    assert!(unknown.unwrap_err().to_string().contains("unknown field"));
    let empty = serde_json::from_str::<RuleSettings>("{}").unwrap();
    assert_eq!(empty, RuleSettings::default());
}

/// Units read while a text is gone over.
fn steps(text: &str) -> usize {
    units::STEPS.set(0);
    Rules::default().find(text);
    units::STEPS.get()
}

#[test]
fn hostile_texts_cost_no_more_than_their_length() {
    let pieces = [
        "@",
        "a@",
        "a.",
        "x@x.",
        "1",
        "1 ",
        "1.",
        "12-",
        "0",
        "00 ",
        "eyJ",
        "eyJ-",
        "eyJ.",
        "::",
        ":",
        "a:",
        "f:",
        "1:",
        "+1 ",
        "+",
        "(",
        "(0) ",
        "(1",
        "0)",
        "password is ",
        "password ",
        "password for ",
        "password: ",
        "pw=",
        "pin ",
        "passwort auf ",
        "mot de ",
        "mot de passe ",
        "is my password ",
        "a ",
        "a",
        "A1",
        "A1 ",
        "DE89 ",
        "DE",
        "DE89",
        "sk-",
        "sk-a1-",
        "xoxb-1-",
        "SG.",
        "ghp_",
        "://",
        "a://",
        "a://b:",
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nA1",
        "-",
        "key ",
        "key: a1",
        "secret=",
        "Bearer ",
        "4111 ",
        "4111-1111-",
        "1.2.3.4",
        "1.2.3.4.",
        "10.0.0.1-",
        "\"",
        "password is \"",
        "[email]",
        "[email]:",
        "[",
        "\n",
        " ",
        "\u{200b}",
        "٤",
        "ä",
        "＠",
        "x y ",
        "version 1.2.3.4 ",
        "call 5",
        "=",
        "a=",
        "a_",
        "12.03.2024 ",
        "111111-",
    ];
    for piece in pieces {
        let text = |bytes: usize| piece.repeat(bytes / piece.len());
        let (one, two) = (steps(&text(1 << 14)), steps(&text(1 << 15)));
        assert!(two <= one * 5 / 2 + 1000, "{piece:?}: {one} steps, then {two}");
        assert!(two < 600 * (1 << 15), "{piece:?}: {two} steps");
    }
}

#[test]
fn a_megabyte_is_gone_through() {
    for piece in ["@", "1", "eyJ", "password is ", "::", "+1 ", "a@b.c 10.0.0.1 pw: x1y2z3 "] {
        let text = piece.repeat((1 << 20) / piece.len());
        assert!(steps(&text) < 300 * text.len(), "{piece}");
    }
}

/// Texts made of what the scanners look for.
fn tempting() -> impl Strategy<Value = String> {
    let parts = prop::sample::select(vec![
        "password is ",
        "pw: ",
        "Passwort ",
        "PIN ",
        "my ",
        "is my ",
        "token ",
        "key=",
        "Bearer ",
        "@",
        ".",
        ":",
        "-",
        "/",
        "+",
        "(",
        ")",
        " ",
        "\n",
        "\"",
        "[email]",
        "[phone]",
        "[own]",
        "[",
        "]",
        "ann",
        "example.org",
        "10.0.0.1",
        "version ",
        "ip ",
        "call ",
        "order ",
        "1",
        "415",
        "555",
        "0132",
        "4111111111111111",
        "4111 1111 1111 1111",
        "DE89 3704 0044 0532 ",
        "0130 00",
        "2001:db8::1",
        "::",
        "eyJhbGciOiJIUzI1NiJ9",
        "ghp_",
        "abcdef0123456789",
        "A1b2C3d4E5f6G7h8",
        "https://",
        "user:pw1",
        "078-05-1120",
        "756.9217.0769.85",
        "0171 39200",
        "AKIAIOSFODNN7EXAMPLE",
        "-----BEGIN PRIVATE KEY-----",
        "-----END PRIVATE KEY-----",
        "٤",
        "\u{200b}",
        "\u{a0}",
        "\u{fffc}",
        "\0",
        "ß",
        "é",
        "Sommer2024!",
        "x",
        "X",
    ]);
    prop::collection::vec(parts, 0..30).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn redacting_twice_changes_nothing(text in prop_oneof![tempting(), "\\PC{0,200}"]) {
        let rules = Rules::new(&settings(&[], &[("own", r"[xX]\d+|ann$")])).unwrap();
        let found = rules.find(&text);
        for pair in found.windows(2) {
            prop_assert!(pair[0].end <= pair[1].start, "{:?}", pair);
        }
        for found in &found {
            prop_assert!(found.start < found.end && text.get(found.start..found.end).is_some());
        }
        let once = rules.redact(&text).into_owned();
        prop_assert_eq!(rules.find(&once), vec![], "{}", once);
    }
}

#[test]
fn words_are_no_italian_number() {
    for text in ["Have you sent out my card yet?", "what do i do to jump start my battery"] {
        assert_eq!(Rules::default().redact(text), text);
    }
}
