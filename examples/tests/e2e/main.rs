//! The real programs, as processes, over real sockets: client, relay, gateway, and a target that
//! the tests play.

mod client_alike;
mod client_dns;
mod client_exit_codes;
mod client_hostile;
mod client_keys;
mod client_output;
mod client_requests;
mod client_streams;
mod client_terminal;
mod client_tools;
mod curl;
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
