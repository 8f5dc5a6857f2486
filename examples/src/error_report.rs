//! Errors as the programs report them: what failed, why, and what to do about it.

use std::process::ExitCode;

/// What someone can do about an error: `result.context(Hint("..."))`.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Hint(pub &'static str);

/// Turns the outcome of a program into its exit code. An error goes to stderr first, with its
/// causes and its hint.
pub fn report(outcome: anyhow::Result<()>) -> ExitCode {
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    eprint!("{}", describe(&error));
    ExitCode::FAILURE
}

/// The error with its causes and its hint, line by line.
pub fn describe(error: &anyhow::Error) -> String {
    let hint = error.downcast_ref::<Hint>().map(|hint| hint.0);
    let mut causes = error.chain().map(ToString::to_string).filter(|cause| Some(&**cause) != hint);
    let mut text = format!("error: {}\n", causes.next().unwrap_or_default());
    for cause in causes {
        text.push_str(&format!("  because: {cause}\n"));
    }
    if let Some(hint) = hint {
        text.push_str(&format!("  hint: {hint}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn an_error_is_told_with_its_causes_and_the_hint_last() {
        let outcome: Result<(), _> = Err(anyhow::anyhow!("port is taken"));
        let error = outcome
            .context("cannot listen")
            .context(Hint("try another port"))
            .context("cannot start")
            .unwrap_err();
        assert_eq!(
            describe(&error),
            "error: cannot start\n  because: cannot listen\n  because: port is taken\n  \
             hint: try another port\n"
        );
    }
}
