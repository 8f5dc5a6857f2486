//! The real programs, as processes, over real sockets: client, relay, gateway, and a target that
//! the tests play.

mod inside;
mod outside;
mod privacy;
mod programs;
mod recorder;
mod setup;
mod target;
mod tls;
