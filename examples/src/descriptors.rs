//! How many files and sockets the program may have open.

/// Raises the limit to what the system permits without asking anyone: many systems begin with 1024,
/// of which each connection takes one. Says so if `wanted` are still too many.
pub(crate) fn raise_limit(wanted: usize) {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};

        let mut limit = getrlimit(Resource::Nofile);
        if limit.current != limit.maximum {
            limit.current = limit.maximum;
            if let Err(error) = setrlimit(Resource::Nofile, limit) {
                tracing::debug!(%error, "the limit on open files cannot be raised");
            }
        }
        let limit = getrlimit(Resource::Nofile).current;
        if let Some(limit) = limit.filter(|&limit| limit < wanted as u64) {
            tracing::warn!(
                limit,
                wanted,
                "fewer files may be open than --max-connections needs: raise the limit (ulimit -n, \
                 LimitNOFILE of systemd), or connections will have to wait"
            );
        }
    }
}
