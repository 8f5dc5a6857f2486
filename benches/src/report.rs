//! What came of the races.

use std::fmt;

/// Fewer rounds than this say nothing; `cargo bench -- --test` makes one or two.
const FEWEST_ROUNDS: usize = 10;

/// The medians and ratios of all races. `Display` prints those that were run.
#[derive(Debug, Default)]
pub struct Report(Vec<Result>);

impl Report {
    pub(crate) fn add(&mut self, result: Result) {
        self.0.push(result);
    }
}

/// What came of a race.
#[derive(Debug)]
pub(crate) struct Result {
    pub(crate) race: String,
    pub(crate) contenders: Vec<String>,
    pub(crate) claims: Vec<Claim>,
    /// For each sample the nanoseconds per unit of each contender.
    pub(crate) rounds: Vec<Vec<f64>>,
}

/// What is claimed beforehand.
#[derive(Debug)]
pub(crate) enum Claim {
    Ratio { contender: usize, other: usize, ratio: f64 },
    Time { contender: usize, ns: f64 },
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut measured =
            self.0.iter().filter(|result| result.rounds.len() >= FEWEST_ROUNDS).peekable();
        if measured.peek().is_some() {
            let brackets = "in brackets the middle half of rounds";
            writeln!(f, "Medians, contenders measured in turn; {brackets}.")?;
        }
        for result in measured {
            write!(f, "\n{result}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Result {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} ({} rounds)", self.race, self.rounds.len())?;
        for (index, name) in self.contenders.iter().enumerate() {
            writeln!(f, "  {name:<28} {}", Time(self.quartiles(|round| round[index])))?;
        }
        for claim in &self.claims {
            match *claim {
                Claim::Ratio { contender, other, ratio } => {
                    let [low, median, high] =
                        self.quartiles(|round| round[contender] / round[other]);
                    let (name, other) = (&self.contenders[contender], &self.contenders[other]);
                    write!(f, "  {name} / {other} = {median:.3} [{low:.3} to {high:.3}]")?;
                    writeln!(f, ", to be at most {ratio:.3}: {}", verdict(median, ratio))?;
                }
                Claim::Time { contender, ns } => {
                    let [_, median, _] = self.quartiles(|round| round[contender]);
                    let name = &self.contenders[contender];
                    writeln!(f, "  {name} to take at most {ns} ns: {}", verdict(median, ns))?;
                }
            }
        }
        Ok(())
    }
}

impl Result {
    /// First quartile, median and third quartile over the rounds.
    fn quartiles(&self, of: impl Fn(&[f64]) -> f64) -> [f64; 3] {
        let mut values: Vec<_> = self.rounds.iter().map(|round| of(round)).collect();
        values.sort_by(f64::total_cmp);
        [1, 2, 3].map(|quarter| values[(values.len() - 1) * quarter / 4])
    }
}

fn verdict(is: f64, at_most: f64) -> &'static str {
    if is <= at_most { "reached" } else { "MISSED" }
}

/// Nanoseconds in quartiles, to be read.
struct Time([f64; 3]);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([low, median, high]) = *self;
        let (unit, divisor) = match median {
            ..1e4 => ("ns", 1.0),
            ..1e7 => ("µs", 1e3),
            _ => ("ms", 1e6),
        };
        let [low, median, high] = [low, median, high].map(|time| time / divisor);
        write!(f, "{median:>9.1} {unit} [{low:.1} to {high:.1}]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_those_within_rounds() {
        // The machine is twice as slow in the second half; the ratio is two throughout.
        let rounds =
            (0..10).map(|round| if round < 5 { vec![10.0, 20.0] } else { vec![20.0, 40.0] });
        let mut report = Report::default();
        report.add(Result {
            race: "race".to_owned(),
            contenders: vec!["ours".to_owned(), "theirs".to_owned()],
            claims: vec![
                Claim::Ratio { contender: 0, other: 1, ratio: 0.5 },
                Claim::Ratio { contender: 1, other: 0, ratio: 1.9 },
                Claim::Time { contender: 0, ns: 9.0 },
            ],
            rounds: rounds.collect(),
        });
        report.add(Result {
            race: "not chosen".to_owned(),
            contenders: Vec::new(),
            claims: Vec::new(),
            rounds: vec![Vec::new(); FEWEST_ROUNDS - 1],
        });
        let text = report.to_string();
        assert!(
            text.contains("ours / theirs = 0.500 [0.500 to 0.500], to be at most 0.500: reached")
        );
        assert!(
            text.contains("theirs / ours = 2.000 [2.000 to 2.000], to be at most 1.900: MISSED")
        );
        assert!(text.contains("ours to take at most 9 ns: MISSED"));
        assert!(!text.contains("not chosen"));
    }
}
