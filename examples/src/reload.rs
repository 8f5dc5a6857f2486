//! Files that are read again at SIGHUP.

use std::collections::BTreeSet;

use crate::settings::Settings;

/// Waits for requests to read files again.
struct HangUps {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

impl HangUps {
    /// The SIGHUPs that come from now on.
    fn new() -> Self {
        Self {
            #[cfg(unix)]
            signal: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok(),
        }
    }

    /// The next one. Where there are no such signals it never comes.
    async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending().await
    }
}

/// Warns of settings that are not those in effect, and that no reload applies.
///
/// # Errors
/// If they cannot be compared.
pub fn warn_of_changes<S: Settings>(in_effect: &S, now: &S) -> anyhow::Result<()> {
    let settings = differences(&in_effect.to_toml()?, &now.to_toml()?)?;
    if !settings.is_empty() {
        tracing::warn!(settings, "settings have changed that take effect only after a restart");
    }
    Ok(())
}

/// The names of the settings that differ between two configuration files, with commas.
fn differences(one: &str, other: &str) -> anyhow::Result<String> {
    let (one, other): (toml::Table, toml::Table) = (toml::from_str(one)?, toml::from_str(other)?);
    let names: BTreeSet<_> = one.keys().chain(other.keys()).map(String::as_str).collect();
    let differ = |name: &&str| one.get(*name) != other.get(*name);
    Ok(names.into_iter().filter(differ).collect::<Vec<_>>().join(", "))
}

/// Calls `reload` at each SIGHUP, which replaces all or nothing: an error is logged, and what is in
/// use stays. `what` is what it reads, for the log.
pub fn at_hang_ups(
    what: &'static str,
    mut reload: impl FnMut() -> anyhow::Result<()> + Send + 'static,
) {
    let mut hang_ups = HangUps::new();
    tokio::spawn(async move {
        loop {
            hang_ups.next().await;
            match reload() {
                Ok(()) => tracing::info!("{what} were read again"),
                Err(error) => {
                    let error = format!("{error:#}");
                    tracing::error!(error, "reloading failed: everything in use stays");
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_differ_are_named() {
        let one = "same = 1\nother = [1]\nonly-here = true\n[[route]]\npath = \"/a\"\n";
        let two = "same = 1\nother = [2]\nand-there = 1.5\n[[route]]\npath = \"/b\"\n";
        let named = "and-there, only-here, other, route";
        assert_eq!(differences(one, two).unwrap(), named);
        assert_eq!(differences(one, one).unwrap(), "");
        assert!(differences("=", one).is_err());
    }
}
