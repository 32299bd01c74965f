use proptest::prelude::*;

use super::*;

fn generalise(sentence: &str, kept: &BTreeSet<String>) -> (String, Vec<DraftField>) {
    let values = values(sentence);
    replace(sentence, values.iter().filter(|value| !value.is_kept(kept)))
}

fn general(sentence: &str) -> String {
    generalise(sentence, &BTreeSet::new()).0
}

#[test]
fn one_off_values_become_fields() {
    for (sentence, expected) in [
        ("Connected at 08:40 on 31 January.", "Connected at [time] on [date]."),
        ("All link since the 29th, Colette checked.", "All link since the [date], [name] checked."),
        ("Reset saskia.wendt in Okta.", "Reset [account] in Okta."),
        ("Refunded 34,290.75 EUR for case 5521.", "Refunded [amount] for [ticket]."),
        (
            "Laptop TB-M-0071 swapped, see TB-1302 and #861.",
            "Laptop [asset] swapped, see [ticket] and [ticket].",
        ),
        ("Write to [email] or ext. 4402.", "Write to [email] or [phone]."),
        ("Approved by H. Sedgwick and Mr Marsh.", "Approved by [name] and [name]."),
        ("Gültig ab 3. Juni 2025, 9 Uhr.", "Gültig ab [date], [time]."),
        ("Redémarré à 7 h 56 le 12 janvier.", "Redémarré à [time] le [date]."),
        ("Told Oisín about it, Yusuf Demir will call.", "Told Oisín about it, [name] will call."),
    ] {
        assert_eq!(general(sentence), expected);
    }
}

#[test]
fn what_everybody_needs_stays() {
    for sentence in [
        "Install GlobalProtect 6.2.6 from C:\\Tools\\gp.msi.",
        "Open https://vpn.tarnbrook.example and enter the portal.",
        "Run `Set-Mailbox anna.berg -GrantSendOnBehalfTo $null` at 09:00 never.",
        "Error 0x80070005 means MER is locked.",
        "Use SHA-256 and TLS 1.3 on port 8443.",
        "Hold the button for 30 seconds.",
        "Edit docker-prune.timer and app.service.",
        "It may take 5 minutes.",
        "The job runs every Monday.",
    ] {
        let expected = sentence.replace("at 09:00 never", "at [time] never");
        assert_eq!(general(sentence), expected);
    }
}

#[test]
fn what_the_ticket_says_itself_stays() {
    let kept = ["08:40", "anna"].map(str::to_owned).into();
    assert_eq!(generalise("Anna came at 08:40.", &kept).0, "Anna came at 08:40.");
}

proptest! {
    #[test]
    fn every_field_stands_in_the_text_in_order(text in "\\PC{0,80}|([A-Za-z0-9.:/#€ -]|\\[email\\]|12 May ){0,80}") {
        let (out, fields) = generalise(&text, &BTreeSet::new());
        let mut rest = out.as_str();
        for field in &fields {
            let at = rest.find(&field.placeholder).unwrap();
            rest = &rest[at + field.placeholder.len()..];
        }
    }
}
