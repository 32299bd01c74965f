//! Splitting a reply into sentences.

/// Words whose full stop does not end a sentence, in lower case and without it.
const ABBREVIATIONS: [&str; 62] = [
    "abs", "approx", "art", "av", "bzw", "bzgl", "ca", "cf", "co", "dept", "dr", "e.g", "d.h",
    "etc", "evtl", "ext", "fig", "fr", "ggf", "hr", "hrn", "i.e", "incl", "inkl", "jr", "m", "max",
    "min", "mio", "mme", "mr", "mrs", "ms", "no", "nr", "num", "núm", "p", "p.ej", "p.ex", "pl",
    "prof", "resp", "s", "sog", "sr", "sra", "st", "str", "tel", "tél", "u.a", "ud", "uds", "usw",
    "v", "vgl", "vol", "vs", "z.b", "z.t", "zzgl",
];

/// Months as they follow a German ordinal ("am 3. Juni").
const MONTHS: [&str; 13] = [
    "Januar",
    "Jänner",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
];

/// The sentences of a text, in order, trimmed. A line is never joined with the next, so lists stay
/// lists, and a fenced block of code is one piece. A full stop ends a sentence only before a blank
/// and something that can begin one, so that versions, paths, addresses and commands stay whole;
/// it does not after an abbreviation, an initial or a step's number, nor within back-ticks.
pub fn sentences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(open) = fence(rest) {
        let (before, block) = rest.split_at(open);
        found.extend(before.lines().flat_map(split_line));
        let inside = block.get(3..).and_then(|inside| inside.find("\n```"));
        let end = inside.map_or(block.len(), |at| at + 3 + 4);
        let (block, after) = block.split_at(end);
        found.push(block.trim());
        rest = after;
    }
    found.extend(rest.lines().flat_map(split_line));
    found.retain(|s| s.chars().any(char::is_alphanumeric));
    found
}

/// Where a fenced block begins: three back-ticks at the start of a line.
fn fence(text: &str) -> Option<usize> {
    let starts =
        |at: usize| text[..at].bytes().rev().find(|b| *b != b' ').is_none_or(|b| b == b'\n');
    text.match_indices("```").map(|(at, _)| at).find(|&at| starts(at))
}

fn split_line(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut start, mut quoted) = (0, false);
    // Back-ticks without a partner quote nothing.
    let pairs = line.matches('`').count() / 2 * 2;
    let mut ticks = 0;
    let mut marks = line.char_indices().peekable();
    while let Some((at, c)) = marks.next() {
        if c == '`' && ticks < pairs {
            ticks += 1;
            quoted = !quoted;
        }
        if quoted || !matches!(c, '.' | '!' | '?' | '…' | '。') {
            continue;
        }
        // What closes with the sentence belongs to it.
        let mut end = at + c.len_utf8();
        while let Some((_, next)) = marks.peek().filter(|(_, c)| ")]\"'”’»!?.".contains(*c)) {
            end += next.len_utf8();
            marks.next();
        }
        let rest = &line[end..];
        let blank = rest.starts_with(char::is_whitespace);
        if (blank && begins(rest.trim_start()) && !continues(&line[start..at], c, rest))
            || c == '。'
        {
            found.push(line[start..end].trim());
            start = end;
        }
    }
    found.push(line[start..].trim());
    found
}

/// Whether a sentence can begin so.
fn begins(rest: &str) -> bool {
    let opens = |c: char| "\"'`([«“„¿¡*_".contains(c);
    rest.chars()
        .find(|&c| !opens(c))
        .is_some_and(|c| c.is_uppercase() || c.is_ascii_digit() || !c.is_alphabetic() && c != '-')
        || rest.starts_with(opens)
}

/// Whether a full stop belongs to the word before it.
fn continues(before: &str, mark: char, rest: &str) -> bool {
    if mark != '.' {
        return false;
    }
    let whole = before.trim();
    let word = before.rsplit(|c: char| c.is_whitespace() || "([\"'„“«".contains(c)).next();
    let word = word.unwrap_or_default();
    let digits = |w: &str| !w.is_empty() && w.len() <= 2 && w.bytes().all(|b| b.is_ascii_digit());
    let next: &str = rest.split_whitespace().next().unwrap_or_default();
    let month = MONTHS.contains(&next.trim_end_matches([',', '.', ')', ':']));
    let initial = word.chars().count() == 1 && word.chars().all(char::is_uppercase);
    // "1. Open the menu": the step's number belongs to the step.
    digits(whole)
        || digits(word) && month
        || initial && next.starts_with(char::is_uppercase)
        || ABBREVIATIONS.contains(&word.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn versions_paths_and_steps_stay_whole() {
        let text = "Installed GlobalProtect 6.2.6 from C:\\Tools\\gp.msi. Rebooted.\n1. Open Settings\n2. Pick e.g. the second";
        assert_eq!(
            sentences(text),
            [
                "Installed GlobalProtect 6.2.6 from C:\\Tools\\gp.msi.",
                "Rebooted.",
                "1. Open Settings",
                "2. Pick e.g. the second"
            ]
        );
    }

    #[test]
    fn nothing_but_marks_is_no_sentence() {
        assert!(sentences(" --- \n ... ").is_empty());
    }

    #[test]
    fn commands_and_code_stay_whole() {
        let text =
            "Run `Get-Mailbox. Set it` twice. Then:\n```bash\nls -la. Cd /\n```\nDone! Tell us.";
        assert_eq!(
            sentences(text),
            [
                "Run `Get-Mailbox. Set it` twice.",
                "Then:",
                "```bash\nls -la. Cd /\n```",
                "Done!",
                "Tell us."
            ]
        );
        assert_eq!(
            sentences("See https://x.example/a.b?c=D. Then log in."),
            ["See https://x.example/a.b?c=D.", "Then log in."]
        );
    }

    #[test]
    fn abbreviations_initials_and_ordinals_end_nothing() {
        for whole in [
            "Ask Mr. Hall or Dr. Ek",
            "Approved by H. Sedgwick today",
            "Gültig ab dem 3. Juni",
            "Prüfen Sie z.B. Teams, Outlook usw. Danach weiter",
            "Call ext. 4402",
        ] {
            assert_eq!(sentences(whole), [whole]);
        }
        assert_eq!(
            sentences("(It was \"off.\") Turn it on."),
            ["(It was \"off.\")", "Turn it on."]
        );
        assert_eq!(sentences("¿Qué error? Reinicie."), ["¿Qué error?", "Reinicie."]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_is_added(text in "([a-zA-Z0-9.!?`\n ()]|```){0,200}") {
            let letters = |t: &str| t.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
            let split = sentences(&text);
            prop_assert_eq!(letters(&text), split.iter().map(|s| letters(s)).collect::<String>());
            prop_assert!(split.iter().all(|s| s.trim() == *s && !s.is_empty()));
        }
    }
}
