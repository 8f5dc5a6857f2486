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

    /// No transfer is continued.
    #[arg(short = 'C', long, value_name = "OFFSET")]
    continue_at: Option<String>,
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
        } else if self.continue_at.is_some() {
            "-C is refused: a request for the rest tells the target who has the beginning, and \
             continues on its own what may have changed since. Ask for the rest with -r, as in \
             -r 1000-, if you mean to"
        } else {
            return Ok(());
        };
        Err(Failure::Usage(refusal.into()))
    }
}
