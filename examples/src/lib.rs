//! The plumbing that the example programs share, so that each of them shows Oblivious HTTP and
//! little else: a server, an HTTP client, TLS, and the command line.
//!
//! But for the choice of a provider, nothing here is specific to Oblivious HTTP. It is what a program
//! of your own would take from its framework.

pub mod auth;
pub mod cli;
pub mod egress;
pub mod forward;
pub mod http_client;
mod pieces;
pub mod provider;
mod request_body;
pub mod server;
mod streams;
pub mod tls;
pub mod workers;
