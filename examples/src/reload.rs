//! Files that are read again at SIGHUP.

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
