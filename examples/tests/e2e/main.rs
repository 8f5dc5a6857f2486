//! The real programs, as processes, over real sockets: client, relay, gateway, and a target that
//! the tests play.

mod guarded;
mod inside;
mod loops;
mod nesting;
mod operate;
mod outside;
mod privacy;
mod programs;
mod raw_target;
mod recorder;
mod relay_clients;
mod relay_gateways;
mod relay_reloads;
mod relay_settings;
mod replicas;
mod setup;
mod signals;
mod stream_client;
mod streaming;
mod target;
mod tls;
mod uses;
