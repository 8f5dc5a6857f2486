//! The course of a program with settings: read them, check them, run.

use std::process::ExitCode;

use crate::error_report::report;
use crate::settings::{Settings, Source};

/// Runs a program. `prepare` makes of valid settings what `run` needs, and has no effect on
/// anything outside; with `--check` that is all, and the settings are printed.
///
/// The exit code is 2 if the settings are wrong, 1 if anything else is.
pub async fn run<S: Settings, P>(
    prepare: impl FnOnce(S) -> anyhow::Result<P>,
    run: impl AsyncFnOnce(P, Source<S>) -> anyhow::Result<()>,
) -> ExitCode {
    let source = Source::<S>::of_program();
    let prepared = source.read().and_then(|settings| {
        // Before anything is taken out of the settings.
        let text = source.is_check().then(|| settings.to_toml()).transpose()?;
        Ok((prepare(settings)?, text))
    });
    match prepared {
        Err(error) => {
            report(Err(error));
            ExitCode::from(2)
        }
        Ok((_, Some(text))) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Ok((prepared, None)) => report(run(prepared, source).await),
    }
}
