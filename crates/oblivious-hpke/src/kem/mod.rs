//! KEMs, plugged in underneath the `hpke` crate.
//!
//! Each is assembled here ([`scheme`]) from other libraries' primitives: the arithmetic of a
//! [`Group`], and an implementation of [`MlKem`].

#[cfg(feature = "aws-lc")]
mod aws_lc;
#[cfg(all(feature = "aws-lc", feature = "post-quantum"))]
mod aws_ml_kem;
mod dh;
#[cfg(feature = "post-quantum")]
mod hybrid;
#[cfg(feature = "post-quantum")]
mod libcrux;
#[cfg(feature = "post-quantum")]
mod ml_kem;
#[cfg(feature = "nist")]
mod nist;
mod scheme;
#[cfg(all(test, feature = "nist", feature = "post-quantum"))]
mod vectors;
mod x25519;

use hpke::Kem;

pub(crate) use dh::DhKem;
#[cfg(any(fuzzing, feature = "graviola"))]
pub(crate) use dh::Group;
#[cfg(feature = "post-quantum")]
pub(crate) use hybrid::{HybridKem, XWing};
#[cfg(all(feature = "post-quantum", feature = "nist"))]
pub(crate) use hybrid::{MlKem768P256, MlKem1024P384};
#[cfg(feature = "post-quantum")]
pub(crate) use libcrux::{MlKem768, MlKem1024};
#[cfg(feature = "post-quantum")]
pub(crate) use ml_kem::PureMlKem;
#[cfg(all(feature = "post-quantum", feature = "graviola"))]
pub(crate) use ml_kem::{MlKem, SEED_LEN, Secret};
#[cfg(all(feature = "nist", feature = "graviola"))]
pub(crate) use nist::is_uncompressed;
#[cfg(feature = "graviola")]
pub(crate) use x25519::Table;
pub(crate) use x25519::X25519;

#[cfg(feature = "aws-lc")]
pub(crate) use aws_lc::AwsX25519;
#[cfg(all(feature = "aws-lc", feature = "nist"))]
pub(crate) use aws_lc::{AwsP256, AwsP384, AwsP521};
#[cfg(all(feature = "aws-lc", feature = "post-quantum"))]
pub(crate) use aws_ml_kem::{AwsMlKem768, AwsMlKem1024};
#[cfg(feature = "nist")]
pub(crate) use nist::{P256, P384, P521};

/// A KEM whose public keys can be prepared for many encapsulations.
pub(crate) trait PreparedKem:
    Kem<PublicKey: Send + Sync, PrivateKey: Send + Sync> + Send + Sync + 'static
{
    /// Computes once what every encapsulation to this key would compute again, if there is
    /// anything. Returns whether there is.
    fn precompute(_: &mut Self::PublicKey) -> bool {
        false
    }
}
