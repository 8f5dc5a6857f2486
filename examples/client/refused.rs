//! What curl has and this program refuses, with the reason.

use crate::failure::Failure;

#[derive(clap::Args)]
#[command(next_help_heading = "Refused, with an explanation")]
pub(crate) struct RefusedArgs {
    /// Redirects are shown, not followed.
    #[arg(short = 'L', long)]
    location: bool,

    /// Nothing is sent twice.
    #[arg(long, value_name = "TIMES")]
    retry: Option<String>,
}

impl RefusedArgs {
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let refusal = if self.location {
            "-L is refused: a redirect may lead to another target, which another gateway would \
             serve or none, and a series of requests tells more than one. Look at the `location` \
             field with -i, and ask for that URL if you mean to"
        } else if self.retry.is_some() {
            "--retry is refused: a request that got no answer may have been processed, so sending \
             it again could have it executed twice (RFC 9458 §6.5). Repeat the command if that \
             does no harm"
        } else {
            return Ok(());
        };
        Err(Failure::Usage(refusal.into()))
    }
}
