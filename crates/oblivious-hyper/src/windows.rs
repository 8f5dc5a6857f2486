//! How much data may be under way over HTTP/2.

/// How much of a body may be under way on a stream before someone reads it.
pub(crate) const STREAM_WINDOW: u32 = 256 * 1024;

/// The same for all streams of a connection together: several unread bodies must not block the
/// others.
pub(crate) const CONNECTION_WINDOW: u32 = 64 * STREAM_WINDOW;
