//! Conditions that figures must meet: `accuracy>=0.85,ece<=0.03,coverage@0.95>=0.6`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Figures by name.
pub type Figures = BTreeMap<String, f64>;

/// Conditions, all of which must be met.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate(Vec<Condition>);

/// One condition on one figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// The figure's name.
    pub figure: String,
    /// How it is compared.
    pub comparison: Comparison,
    /// With what.
    pub bound: f64,
}

/// How a figure is compared with its bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `>=`
    AtLeast,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `<`
    Below,
}

impl Comparison {
    /// The longer ones first, since the shorter are part of them.
    const ALL: [Self; 4] = [Self::AtLeast, Self::AtMost, Self::Above, Self::Below];

    const fn sign(self) -> &'static str {
        match self {
            Self::AtLeast => ">=",
            Self::AtMost => "<=",
            Self::Above => ">",
            Self::Below => "<",
        }
    }

    /// No number meets no condition.
    fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Self::AtLeast => value >= bound,
            Self::AtMost => value <= bound,
            Self::Above => value > bound,
            Self::Below => value < bound,
        }
    }
}

/// A gate that cannot be read or applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    /// It holds no condition.
    #[error("the gate is empty; expected conditions such as accuracy>=0.85,ece<=0.03")]
    Empty,
    /// A part that is no condition.
    #[error("{0:?}: expected FIGURE>=NUMBER or FIGURE<=NUMBER, for example accuracy>=0.85")]
    NoCondition(String),
    /// A bound that is no number.
    #[error("{condition:?}: {bound:?} is not a number; a share is written as 0.85, not 85%")]
    NoNumber {
        /// The whole condition.
        condition: String,
        /// What stands where the number should be.
        bound: String,
    },
    /// A figure that there is not.
    #[error("there is no figure {figure:?}; there are: {known}")]
    Unknown {
        /// What the gate asks for.
        figure: String,
        /// The names there are.
        known: String,
    },
}

impl FromStr for Gate {
    type Err = GateError;

    fn from_str(text: &str) -> Result<Self, GateError> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let conditions = parts.map(condition).collect::<Result<Vec<_>, _>>()?;
        if conditions.is_empty() { Err(GateError::Empty) } else { Ok(Self(conditions)) }
    }
}

fn condition(text: &str) -> Result<Condition, GateError> {
    let parts = Comparison::ALL.iter().find_map(|c| Some((*c, text.split_once(c.sign())?)));
    let Some((comparison, (figure, bound))) = parts else {
        return Err(GateError::NoCondition(text.to_owned()));
    };
    let (figure, bound) = (figure.trim(), bound.trim());
    if figure.is_empty() {
        return Err(GateError::NoCondition(text.to_owned()));
    }
    match bound.parse::<f64>() {
        Ok(bound) if bound.is_finite() => {
            Ok(Condition { figure: figure.to_owned(), comparison, bound })
        }
        _ => Err(GateError::NoNumber { condition: text.to_owned(), bound: bound.to_owned() }),
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.figure, self.comparison.sign(), self.bound)
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, condition) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(f, "{comma}{condition}")?;
        }
        Ok(())
    }
}

/// A condition that is not met.
#[derive(Debug, Clone, PartialEq)]
pub struct Shortfall {
    /// The condition.
    pub condition: Condition,
    /// What the figure is.
    pub value: f64,
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { condition: Condition { figure, comparison, bound }, value } = self;
        if !value.is_finite() {
            return write!(
                f,
                "{figure} could not be measured, expected {}{bound}",
                comparison.sign()
            );
        }
        write!(f, "{figure} is {value:.4}, expected {}{bound}", comparison.sign())?;
        let side = if value < bound { "below" } else { "above" };
        match (value - bound).abs() {
            0.0 => Ok(()),
            by if by < 0.000_1 => write!(f, " (less than 0.0001 {side})"),
            by => write!(f, " ({by:.4} {side})"),
        }
    }
}

impl Gate {
    /// The conditions.
    pub fn conditions(&self) -> &[Condition] {
        &self.0
    }

    /// The conditions that these figures do not meet; none where the gate is passed. A figure that
    /// is not a number meets nothing.
    ///
    /// Figures at an operating point are named `coverage@0.95`, and found however the number after
    /// the `@` is written.
    ///
    /// # Errors
    /// A figure that there is not, with the names there are.
    pub fn check(&self, figures: &Figures) -> Result<Vec<Shortfall>, GateError> {
        let mut missed = Vec::new();
        for condition in &self.0 {
            let value = find(figures, &condition.figure).ok_or_else(|| GateError::Unknown {
                figure: condition.figure.clone(),
                known: figures.keys().map(String::as_str).collect::<Vec<_>>().join(", "),
            })?;
            if !condition.comparison.holds(value, condition.bound) {
                missed.push(Shortfall { condition: condition.clone(), value });
            }
        }
        Ok(missed)
    }
}

fn find(figures: &Figures, name: &str) -> Option<f64> {
    if let Some(value) = figures.get(name) {
        return Some(*value);
    }
    let point = |name: &str| {
        let (figure, at) = name.split_once('@')?;
        Some((figure.to_owned(), at.parse::<f64>().ok()?))
    };
    let wanted = point(name)?;
    figures.iter().find(|(known, _)| point(known).as_ref() == Some(&wanted)).map(|(_, v)| *v)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn figures() -> Figures {
        let named =
            [("accuracy", 0.8312), ("ece", 0.02), ("coverage@0.95", 0.6), ("nan", f64::NAN)];
        named.map(|(name, value)| (name.to_owned(), value)).into()
    }

    fn missed(gate: &str) -> Vec<String> {
        let missed = gate.parse::<Gate>().unwrap().check(&figures()).unwrap();
        missed.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn it_says_what_fell_short_and_by_how_much() {
        assert!(missed("ece <= 0.03, coverage@0.95>=0.6, coverage@0.950<0.7,").is_empty());
        assert_eq!(
            missed("accuracy>=0.85,ece<0.02,nan>=0"),
            [
                "accuracy is 0.8312, expected >=0.85 (0.0188 below)",
                "ece is 0.0200, expected <0.02",
                "nan could not be measured, expected >=0",
            ]
        );
    }

    #[test]
    fn what_is_no_gate_is_refused_with_advice() {
        let refused = |text: &str| text.parse::<Gate>().unwrap_err();
        assert_eq!(refused(" , "), GateError::Empty);
        assert_eq!(refused("accuracy=0.9"), GateError::NoCondition("accuracy=0.9".into()));
        assert_eq!(refused(">=0.9"), GateError::NoCondition(">=0.9".into()));
        for bound in ["85%", "", "nan", "inf", "=1"] {
            let refused = refused(&format!("accuracy>={bound}"));
            assert!(matches!(refused, GateError::NoNumber { .. }), "{refused}");
        }
        let unknown = "acuracy>=0.9".parse::<Gate>().unwrap().check(&figures()).unwrap_err();
        let names = "there is no figure \"acuracy\"; there are: accuracy, coverage@0.95, ece, nan";
        assert_eq!(unknown.to_string(), names);
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_the_same(
            parts in prop::collection::vec(("[a-z_0-9@.]{1,9}", 0usize..4, -1e6f64..1e6), 1..5)
        ) {
            let condition = |(figure, comparison, bound): (String, usize, f64)| {
                Condition { figure, comparison: Comparison::ALL[comparison], bound }
            };
            let gate = Gate(parts.into_iter().map(condition).collect());
            prop_assert_eq!(gate.to_string().parse(), Ok(gate));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,60}") {
            let _ = text.parse::<Gate>();
        }
    }
}
