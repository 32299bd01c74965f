//! Splitting a resolution into sentences.

/// The sentences of a text, in order, trimmed. A line is never joined with the next, so lists stay
/// lists; a full stop ends a sentence only before a blank and a capital, a digit or a quote, so
/// that versions, paths, file names and abbreviations in the middle stay whole.
pub fn sentences(text: &str) -> Vec<&str> {
    text.lines().flat_map(split_line).filter(|s| s.chars().any(char::is_alphanumeric)).collect()
}

fn split_line(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = 0;
    for (at, c) in line.char_indices() {
        if !matches!(c, '.' | '!' | '?') {
            continue;
        }
        let end = at + c.len_utf8();
        let mut rest = line[end..].chars();
        let ends = rest.next().is_some_and(char::is_whitespace)
            && rest
                .find(|c| !c.is_whitespace())
                .is_some_and(|c| c.is_uppercase() || c.is_ascii_digit() || "\"'`(¿¡".contains(c))
            && !is_list_number(&line[start..at]);
        if ends {
            found.push(line[start..end].trim());
            start = end;
        }
    }
    found.push(line[start..].trim());
    found
}

/// `1` in "1. Open the menu": the step's number belongs to the step.
fn is_list_number(before: &str) -> bool {
    let before = before.trim();
    !before.is_empty() && before.len() <= 2 && before.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
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
}
