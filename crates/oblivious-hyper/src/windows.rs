//! How much may be under way over HTTP/2.

/// How much of a body may be under way on a stream before someone reads it.
pub(crate) const STREAM_WINDOW: u32 = 256 * 1024;

/// The same for all streams of a connection together: many bodies that nobody reads do not yet
/// keep the others from coming through.
pub(crate) const CONNECTION_WINDOW: u32 = 64 * STREAM_WINDOW;
