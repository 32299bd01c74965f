//! Times as people's systems write them: `3/4/25 9:15 AM`, `04.03.2025 09:15`, `4. März 2025`.
//!
//! Whether `03/04/2025` is in March or in April is not guessed from one value: a column's other
//! values decide, and where they do not, the value is not read.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};

use super::row::timestamp;

/// In which order a column writes day and month where both are numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateOrder {
    /// 31/12/2025.
    DayFirst,
    /// 12/31/2025.
    MonthFirst,
}

impl std::str::FromStr for DateOrder {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "dmy" => Ok(Self::DayFirst),
            "mdy" => Ok(Self::MonthFirst),
            _ => Err("expected dmy (31/12/2025) or mdy (12/31/2025)".to_owned()),
        }
    }
}

/// What a column's values say of their order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Evidence {
    day_first: usize,
    month_first: usize,
    /// Values with dots between, which nobody writes month first.
    dotted: usize,
}

impl Evidence {
    pub(super) fn add(&mut self, value: &str) {
        let Some((parts, separator)) = numeric_date(value) else { return };
        self.day_first += usize::from(parts[0] > 12 && parts[1] <= 12);
        self.month_first += usize::from(parts[1] > 12 && parts[0] <= 12);
        self.dotted += usize::from(separator == '.');
    }

    /// The order, if the values agree on one.
    pub(super) fn order(self) -> Option<DateOrder> {
        match (self.day_first + self.dotted, self.month_first) {
            (1.., 0) => Some(DateOrder::DayFirst),
            (0, 1..) => Some(DateOrder::MonthFirst),
            _ => None,
        }
    }
}

/// Reads a time. Without an offset it is taken to be in UTC.
pub(super) fn read(value: &str, order: Option<DateOrder>) -> Option<Timestamp> {
    let value = value.trim();
    timestamp(value).or_else(|| serial(value)).or_else(|| written(value, order))
}

/// Days since 1899-12-30, as spreadsheets count, or seconds or milliseconds since 1970.
fn serial(value: &str) -> Option<Timestamp> {
    let number: f64 = value.parse().ok()?;
    if (20_000.0..80_000.0).contains(&number) {
        return Timestamp::from_second(((number - 25_569.0) * 86_400.0).round() as i64).ok();
    }
    if (5e8..5e9).contains(&number) {
        return Timestamp::from_second(number as i64).ok();
    }
    (5e11..5e12).contains(&number).then(|| Timestamp::from_millisecond(number as i64).ok())?
}

/// The first three numbers of a value that begins with a date in numbers whose year is last, and
/// what stands between them.
fn numeric_date(value: &str) -> Option<([u32; 3], char)> {
    let date = value.trim().split([' ', 'T', ',']).next()?;
    let separator = date.chars().find(|c| matches!(c, '/' | '.' | '-'))?;
    let mut parts =
        date.trim_end_matches('.').split(separator).map(|part| part.parse::<u32>().ok());
    let parts = [parts.next()??, parts.next()??, parts.next()??];
    (parts[0] <= 31).then_some((parts, separator))
}

/// Month names by their beginnings, in English, German, French, Spanish, Italian, Dutch and
/// Portuguese.
const MONTHS: [&[&str]; 12] = [
    &["jan", "ene", "gen"],
    &["feb", "fév", "fev"],
    &["mar", "mär", "mrz", "maa", "mrt"],
    &["apr", "avr", "abr"],
    &["may", "mai", "mag", "mei"],
    &["jun", "juin", "giu"],
    &["jul", "juil", "lug"],
    &["aug", "aoû", "aou", "ago"],
    &["sep", "set"],
    &["oct", "okt", "ott", "out"],
    &["nov"],
    &["dec", "dez", "déc", "dic"],
];

fn month_named(word: &str) -> Option<u32> {
    // "mar" is March and "mai" May in all of them; the longest beginning decides otherwise.
    (1..).zip(MONTHS).find(|(_, names)| names.iter().any(|n| word.starts_with(n))).map(|(n, _)| n)
}

#[derive(Debug, PartialEq)]
enum Token {
    Number(u32, usize),
    Word(String),
    Sign(char),
}

fn tokens(value: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut run = String::new();
    let finish = |run: &mut String, tokens: &mut Vec<Token>| {
        if let Ok(number) = run.parse() {
            tokens.push(Token::Number(number, run.len()));
        } else if !run.is_empty() {
            tokens.push(Token::Word(run.to_lowercase()));
        }
        run.clear();
    };
    for c in value.chars().take(60) {
        let same =
            run.chars().next().is_none_or(|first| first.is_ascii_digit() == c.is_ascii_digit());
        if !c.is_alphanumeric() || !same {
            finish(&mut run, &mut tokens);
        }
        if c.is_alphanumeric() {
            run.push(c);
        } else if matches!(c, ':' | '+' | '-') {
            tokens.push(Token::Sign(c));
        }
    }
    finish(&mut run, &mut tokens);
    tokens
}

/// A date in words or numbers, with or without a time of day.
fn written(value: &str, order: Option<DateOrder>) -> Option<Timestamp> {
    let tokens = tokens(value);
    let number = |at: usize| match tokens.get(at) {
        Some(Token::Number(n, _)) => Some(*n),
        _ => None,
    };
    let colon = |at: usize| tokens.get(at) == Some(&Token::Sign(':'));
    let clock = (1..tokens.len()).find(|at| colon(*at) && number(at - 1).is_some());
    let (mut hour, mut minute, mut second, mut rest) = (0, 0, 0, tokens.len());
    if let Some(at) = clock {
        (hour, minute) = (number(at - 1)?, number(at + 1)?);
        rest = at + 2;
        if colon(rest) {
            second = number(rest + 1)?;
            rest += 2;
        }
    }
    let word = |wanted: &[&str]| {
        tokens.iter().any(|t| matches!(t, Token::Word(w) if wanted.contains(&w.as_str())))
    };
    if word(&["pm"]) && hour < 12 {
        hour += 12;
    } else if word(&["am"]) && hour == 12 {
        hour = 0;
    }
    let before = &tokens[..clock.map_or(tokens.len(), |at| at - 1)];
    let numbers: Vec<(u32, usize)> = before
        .iter()
        .filter_map(|t| if let Token::Number(n, digits) = t { Some((*n, *digits)) } else { None })
        .collect();
    let month = before.iter().find_map(|t| match t {
        Token::Word(w) => month_named(w),
        _ => None,
    });
    let (year, month, day) = match (month, numbers.as_slice()) {
        (Some(month), [(year, 4), (day, _)] | [(day, _), (year, 2 | 4)]) => (*year, month, *day),
        (None, [(year, 4), (month, _), (day, _)]) => (*year, *month, *day),
        (None, [(a, 1..=2), (b, 1..=2), (year, 2 | 4)]) => match order {
            Some(DateOrder::DayFirst) => (*year, *b, *a),
            Some(DateOrder::MonthFirst) => (*year, *a, *b),
            None if *a > 12 => (*year, *b, *a),
            None if *b > 12 => (*year, *a, *b),
            // The same either way.
            None if a == b => (*year, *a, *b),
            None => return None,
        },
        _ => return None,
    };
    let year = if year < 100 { 2000 + year } else { year };
    let date = Date::new(year as i16, month as i8, day as i8).ok()?;
    let time = Time::new(hour as i8, minute as i8, second as i8, 0).ok()?;
    let offset = offset(&tokens[rest.min(tokens.len())..]);
    let civil = DateTime::from_parts(date, time);
    civil.to_zoned(TimeZone::fixed(offset)).ok().map(|zoned| zoned.timestamp())
}

/// `+0100` or `+01:00` after a time of day; else UTC.
fn offset(tokens: &[Token]) -> Offset {
    let found = tokens.windows(2).enumerate().find_map(|(at, pair)| match pair {
        [Token::Sign(sign @ ('+' | '-')), Token::Number(n, digits)] => {
            Some((at, *sign, *n, *digits))
        }
        _ => None,
    });
    let Some((at, sign, n, digits)) = found else { return Offset::UTC };
    let minutes = match (digits, tokens.get(at + 3)) {
        (4, _) => n / 100 * 60 + n % 100,
        (_, Some(Token::Number(m, 2))) => n * 60 + m,
        _ => n * 60,
    };
    let seconds = i32::try_from(minutes).unwrap_or_default() * 60;
    Offset::from_seconds(if sign == '-' { -seconds } else { seconds }).unwrap_or(Offset::UTC)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(value: &str, order: Option<DateOrder>) -> String {
        read(value, order).map_or_else(|| "?".to_owned(), |t| t.to_string())
    }

    #[test]
    fn local_formats_are_read() {
        let nine = "2025-03-04T09:15:00Z";
        for value in [
            "04.03.2025 09:15",
            "04.03.25, 09:15:00",
            "4. März 2025 09:15 Uhr",
            "Tue, 4 Mar 2025 10:15:00 +0100",
            "Tue Mar 04 09:15:00 2025",
            "4 mars 2025 à 09:15",
            "04/Mär/25 9:15 AM",
            "2025/03/04 9:15",
            "1741079700",
            "1741079700000",
            "45720.385416667",
        ] {
            let order = Some(DateOrder::DayFirst);
            if value.contains("Mar 04") {
                assert_eq!(at(value, order), "?", "the year after the time is not read");
            } else {
                assert_eq!(at(value, order), nine, "{value}");
            }
        }
        assert_eq!(at("3/4/25 9:15 AM", Some(DateOrder::MonthFirst)), nine);
        assert_eq!(at("12/3/2025 12:05 AM", Some(DateOrder::MonthFirst)), "2025-12-03T00:05:00Z");
    }

    #[test]
    fn day_and_month_are_not_guessed_from_one_value() {
        assert_eq!(at("03/04/2025", None), "?");
        assert_eq!(at("13/04/2025", None), "2025-04-13T00:00:00Z");
        assert_eq!(at("04/13/2025", None), "2025-04-13T00:00:00Z");
        let order = |values: &[&str]| {
            let mut evidence = Evidence::default();
            for value in values {
                evidence.add(value);
            }
            evidence.order()
        };
        assert_eq!(order(&["03/04/2025", "13/04/2025 10:00"]), Some(DateOrder::DayFirst));
        assert_eq!(order(&["03/04/2025", "4/13/2025"]), Some(DateOrder::MonthFirst));
        assert_eq!(order(&["03.04.2025"]), Some(DateOrder::DayFirst));
        assert_eq!(order(&["13/04/2025", "04/13/2025"]), None, "they contradict each other");
        assert_eq!(order(&["03/04/2025", "2025-03-04"]), None);
    }

    proptest! {
        #[test]
        fn no_value_makes_it_panic(value in "[0-9A-Za-zäé/:., +-]{0,40}|\\PC{0,30}") {
            let _ = read(&value, None);
            let _ = read(&value, Some(DateOrder::DayFirst));
            Evidence::default().add(&value);
        }
    }
}
