//! Listening sockets, and their addresses on standard output.

use std::io::Write;

use anyhow::Context;
use tokio::net::TcpListener;

use crate::error_report::Hint;

/// Listens at `address`, which is `HOST:PORT`, and says so on stdout: `listening on
/// https://ADDRESS`, or `http://` without TLS. With port 0 that line says which port.
pub async fn listen(address: &str, tls: bool) -> anyhow::Result<TcpListener> {
    let listener =
        bind(address).await.context(Hint("choose another address with --listen HOST:PORT"))?;
    let scheme = if tls { "https" } else { "http" };
    announce("listening on", scheme, &listener)?;
    Ok(listener)
}

/// The same for those who watch the program: `admin on http://ADDRESS`.
pub(crate) async fn listen_for_admin(address: &str) -> anyhow::Result<TcpListener> {
    let listener =
        bind(address).await.context(Hint("choose another address with --admin HOST:PORT"))?;
    announce("admin on", "http", &listener)?;
    Ok(listener)
}

async fn bind(address: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

fn announce(what: &str, scheme: &str, listener: &TcpListener) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{what} {scheme}://{}", listener.local_addr()?)?;
    stdout.flush()?;
    Ok(())
}
