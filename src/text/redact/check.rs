//! Check digits. All take digits as numbers from 0 to 9.

/// ISO/IEC 7812: cards, Swedish personal numbers.
pub(super) fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, &d)| match (i % 2, u32::from(d) * 2) {
            (0, twice) => twice / 2,
            (_, twice) => twice / 10 + twice % 10,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// EAN-13: Swiss social insurance numbers.
pub(super) fn ean(digits: &[u8]) -> bool {
    let weighted = digits.iter().enumerate().map(|(i, &d)| u32::from(d) * [1, 3][i % 2]);
    weighted.sum::<u32>().is_multiple_of(10)
}

/// ISO/IEC 7064, modulus 11,10: German tax numbers.
pub(super) fn mod_11_10(digits: &[u8]) -> bool {
    let Some((&check, rest)) = digits.split_last() else { return false };
    let product = rest.iter().fold(10, |product, &d| {
        let sum = (u32::from(d) + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (11 - product) % 10 == u32::from(check)
}

/// Verhoeff's: Indian Aadhaar numbers.
pub(super) fn verhoeff(digits: &[u8]) -> bool {
    // Multiplication in the dihedral group of ten, and the permutation of each position.
    const fn times(a: u8, b: u8) -> u8 {
        match (a < 5, b < 5) {
            (true, true) => (a + b) % 5,
            (true, false) => (a + b - 5) % 5 + 5,
            (false, true) => (a - 5 + 5 - b) % 5 + 5,
            (false, false) => (a + 5 - b) % 5,
        }
    }
    const STEP: [u8; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let permuted = |place: usize, digit: u8| {
        (0..place % 8).fold(digit, |d, _| STEP.get(usize::from(d)).copied().unwrap_or(0))
    };
    digits.iter().rev().enumerate().fold(0, |sum, (i, &d)| times(sum, permuted(i, d))) == 0
}

/// A decimal number modulo a small one.
pub(super) fn modulo(digits: &[u8], by: u32) -> u32 {
    digits.iter().fold(0, |rest, &d| (rest * 10 + u32::from(d)) % by)
}

/// ISO/IEC 7064, modulus 97,10, over letters and digits: IBANs. Takes them rotated already.
pub(super) fn mod_97(chars: impl Iterator<Item = char>) -> bool {
    let rest = chars.fold(0, |rest, c| match c.to_digit(36) {
        Some(value) if value > 9 => (rest * 100 + value) % 97,
        Some(value) => (rest * 10 + value) % 97,
        None => rest,
    });
    rest == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(text: &str) -> Vec<u8> {
        text.bytes().filter(u8::is_ascii_digit).map(|b| b - b'0').collect()
    }

    #[test]
    fn published_examples_hold_and_their_neighbours_do_not() {
        type Check = fn(&[u8]) -> bool;
        let examples: [(Check, &str); 5] = [
            (luhn, "4111 1111 1111 1111"),
            (luhn, "811218-9876"),
            (ean, "756.9217.0769.85"),
            (mod_11_10, "86095742719"),
            (verhoeff, "9999 4105 7058"),
        ];
        for (check, text) in examples {
            let mut digits = digits(text);
            assert!(check(&digits), "{text}");
            for i in 0..digits.len() {
                digits[i] = (digits[i] + 1) % 10;
                assert!(!check(&digits), "{text} with digit {i} changed");
                digits[i] = (digits[i] + 9) % 10;
            }
        }
        assert!(mod_97("370400440532013000DE89".chars()));
        assert!(!mod_97("370400440532013001DE89".chars()));
        assert_eq!(modulo(&digits("2690549588157"), 97), 97 - 80);
    }
}
