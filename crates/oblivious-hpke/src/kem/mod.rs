//! KEMs, plugged in underneath the `hpke` crate.
//!
//! The KEMs over a Diffie-Hellman group are ours ([`DhKem`]), each group's arithmetic somebody
//! else's, and so is X-Wing's private key. The other post-quantum ones are the `hpke` crate's own.

#[cfg(feature = "aws-lc")]
mod aws_lc;
mod dh;
#[cfg(feature = "nist")]
mod nist;
#[cfg(all(test, feature = "nist", feature = "post-quantum"))]
mod vectors;
mod x25519;
#[cfg(feature = "post-quantum")]
mod x_wing;

use hpke::Kem;

pub(crate) use dh::DhKem;
#[cfg(fuzzing)]
pub(crate) use dh::Group;
#[cfg(feature = "post-quantum")]
pub(crate) use x_wing::XWing;
pub(crate) use x25519::X25519;

#[cfg(feature = "aws-lc")]
pub(crate) use aws_lc::AwsX25519;
#[cfg(all(feature = "aws-lc", feature = "nist"))]
pub(crate) use aws_lc::{AwsP256, AwsP384, AwsP521};
#[cfg(feature = "nist")]
pub(crate) use nist::{P256, P384, P521};

/// A KEM whose public keys can be prepared for many encapsulations.
pub(crate) trait PreparedKem:
    Kem<PublicKey: Send + Sync, PrivateKey: Send + Sync> + Send + Sync + 'static
{
    /// Computes once what encapsulation to this key would compute each time, where there is such.
    /// Returns whether there is.
    fn precompute(_: &mut Self::PublicKey) -> bool {
        false
    }
}

/// Declares the KEMs of the `hpke` crate that are used as they are.
#[cfg(feature = "post-quantum")]
macro_rules! as_they_are {
    ($($kem:ty),*) => {$(impl PreparedKem for $kem {})*};
}

#[cfg(feature = "post-quantum")]
as_they_are!(hpke::kem::MlKem768, hpke::kem::MlKem1024);
#[cfg(all(feature = "post-quantum", feature = "nist"))]
as_they_are!(hpke::kem::MlKem768P256, hpke::kem::MlKem1024P384);
