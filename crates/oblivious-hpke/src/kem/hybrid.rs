//! ML-KEM together with a Diffie-Hellman group: X-Wing, MLKEM768-P256 and MLKEM1024-P384, which are
//! one construction with different numbers (draft-irtf-cfrg-hybrid-kems §5.5,
//! draft-irtf-cfrg-concrete-hybrid-kems §4, draft-connolly-cfrg-xwing-kem §5).
//!
//! It differs from the `hpke` crate's own in two ways. The private key, a seed, is kept expanded:
//! expanding it for every request would generate both halves' keys each time. And an X25519 key of
//! low order is refused on both sides, as with plain X25519: with it the secret would depend on
//! ML-KEM only.

use core::marker::PhantomData;

use hpke::Kem;
use rand_core::CryptoRng;
use sha3::{Digest, Sha3_256};
use shake::{ExtendableOutput, Shake256, Update, XofReader};
use zeroize::Zeroizing;

use super::{
    dh::{Group, Pair},
    ml_kem::{MlKem, SEED_LEN},
    scheme::{Of, Scheme},
};

/// The most random bytes that a group's private key is made from.
const MAX_GROUP_SEED_LEN: usize = 128;

/// The numbers of a hybrid KEM.
pub(crate) trait Parameters: Send + Sync + 'static {
    /// The `hpke` crate's own implementation.
    type Hpke: Kem;
    /// What the shared secret is bound to.
    const LABEL: &'static [u8];
    /// How many random bytes the group's private key is made from, Group_T.Nseed.
    const GROUP_SEED_LEN: usize;
}

macro_rules! parameters {
    ($($(#[$attribute:meta])* $name:ident($hpke:ident) = $label:literal, $seed_len:literal;)*) => {$(
        $(#[$attribute])*
        pub(crate) enum $name {}

        $(#[$attribute])*
        impl Parameters for $name {
            type Hpke = hpke::kem::$hpke;
            const LABEL: &'static [u8] = $label;
            const GROUP_SEED_LEN: usize = $seed_len;
        }
    )*};
}

parameters! {
    XWing(XWing) = br"\.//^\", 32;
    #[cfg(feature = "nist")]
    MlKem768P256(MlKem768P256) = b"MLKEM768-P256", 128;
    #[cfg(feature = "nist")]
    MlKem1024P384(MlKem1024P384) = b"MLKEM1024-P384", 48;
}

/// The hybrid of `M` and `G` that `P` describes.
pub(crate) type HybridKem<P, M, G> = Of<Hybrid<P, M, G>>;

pub(crate) struct Hybrid<P, M, G>(PhantomData<(P, M, G)>);

pub(crate) struct Private<M: MlKem, G: Group> {
    ml_kem: M::Private,
    group: Pair<G>,
}

pub(crate) struct Public<M: MlKem, G: Group> {
    ml_kem: M::Public,
    group: G::Point,
}

impl<M: MlKem, G: Group> Clone for Private<M, G> {
    fn clone(&self) -> Self {
        Self { ml_kem: self.ml_kem.clone(), group: self.group.clone() }
    }
}

impl<M: MlKem, G: Group> Clone for Public<M, G> {
    fn clone(&self) -> Self {
        Self { ml_kem: self.ml_kem.clone(), group: self.group.clone() }
    }
}

impl<P: Parameters, M: MlKem, G: Group> Scheme for Hybrid<P, M, G> {
    type Hpke = P::Hpke;
    type Private = Private<M, G>;
    type Public = Public<M, G>;

    // def expandDecapsKeyG(seed):                   draft-irtf-cfrg-hybrid-kems §5.1.2
    //   seed_full = SHAKE256(seed)
    //   (seed_PQ, seed_T) = split(KEM_PQ.Nseed, Group_T.Nseed, seed_full)
    //   (dk_PQ, ek_PQ) = KEM_PQ.DeriveKeyPair(seed_PQ)
    //   dk_T = Group_T.RandomScalar(seed_T)
    //   ek_T = Group_T.Exp(Group_T.g, dk_T)
    fn private(seed: &[u8]) -> Option<Private<M, G>> {
        let mut room = Zeroizing::new([0; SEED_LEN + MAX_GROUP_SEED_LEN]);
        let expanded = &mut room[..SEED_LEN + P::GROUP_SEED_LEN];
        Shake256::default().chain(seed).finalize_xof().read(expanded);
        let (ml_kem, group) = expanded.split_first_chunk()?;
        // RandomScalar takes the first part that is in range.
        let secret = group.chunks_exact(G::secret_len()).find_map(G::secret)?;
        Some(Private { ml_kem: M::private(ml_kem)?, group: Pair::new(secret)? })
    }

    fn write_public(private: &Private<M, G>, out: &mut [u8]) -> Option<()> {
        let (ml_kem, group) = out.split_at_mut_checked(M::public_len())?;
        group.copy_from_slice(private.group.public_key());
        M::write_public(&private.ml_kem, ml_kem)
    }

    fn public(bytes: &[u8]) -> Option<Public<M, G>> {
        let (ml_kem, group) = bytes.split_at_checked(M::public_len())?;
        Some(Public { ml_kem: M::public(ml_kem)?, group: G::point(group)? })
    }

    // def Encaps(ek):                               draft-irtf-cfrg-hybrid-kems §5.5
    //   (ek_PQ, ek_T) = split(KEM_PQ.Nek, Group_T.Nelem, ek)
    //   (ss_PQ, ct_PQ) = KEM_PQ.Encaps(ek_PQ)
    //   sk_E = Group_T.RandomScalar(random(Group_T.Nseed))
    //   ct_T = Group_T.Exp(Group_T.g, sk_E)
    //   ss_T = Group_T.ElementToSharedSecret(Group_T.Exp(ek_T, sk_E))
    //   ss_H = C2PRICombiner(ss_PQ, ss_T, ct_T, ek_T, Label)
    //   ct_H = concat(ct_PQ, ct_T)
    //   return (ss_H, ct_H)
    fn encapsulate(
        public: &Public<M, G>,
        public_bytes: &[u8],
        rng: &mut impl CryptoRng,
        enc: &mut [u8],
        shared: &mut [u8],
    ) -> Option<()> {
        let (ml_kem_enc, group_enc) = enc.split_at_mut_checked(M::enc_len())?;
        let group_public = public_bytes.get(M::public_len()..)?;
        let ml_kem = M::encapsulate_with_rng(&public.ml_kem, rng, ml_kem_enc)?;
        let ephemeral = G::ephemeral(rng, group_enc)?;
        G::agree(&ephemeral, &public.group, |group| {
            combine::<P>(&*ml_kem, group, group_enc, group_public, shared)
        })
    }

    // def Decaps(dk, ct):                           draft-irtf-cfrg-hybrid-kems §5.5
    //   (ct_PQ, ct_T) = split(KEM_PQ.Nct, Group_T.Nelem, ct)
    //   ss_PQ = KEM_PQ.Decaps(dk_PQ, ct_PQ)
    //   ss_T = Group_T.ElementToSharedSecret(Group_T.Exp(ct_T, dk_T))
    //   return C2PRICombiner(ss_PQ, ss_T, ct_T, ek_T, Label)
    fn decapsulate(private: &Private<M, G>, enc: &[u8], shared: &mut [u8]) -> Option<()> {
        let (ml_kem_enc, group_enc) = enc.split_at_checked(M::enc_len())?;
        let ephemeral = G::point(group_enc)?;
        let ml_kem = M::decapsulate(&private.ml_kem, ml_kem_enc)?;
        G::agree(&private.group.secret, &ephemeral, |group| {
            combine::<P>(&*ml_kem, group, group_enc, private.group.public_key(), shared)
        })
    }

    fn precompute(public: &mut Public<M, G>) -> bool {
        G::precompute(&mut public.group)
    }
}

/// C2PRICombiner: SHA3-256(ss_PQ || ss_T || ct_T || ek_T || label)
/// (draft-irtf-cfrg-hybrid-kems §5.1.3).
fn combine<P: Parameters>(
    ml_kem: &[u8],
    group: &[u8],
    group_enc: &[u8],
    group_public: &[u8],
    shared: &mut [u8],
) -> Option<()> {
    let hash = Sha3_256::new()
        .chain_update(ml_kem)
        .chain_update(group)
        .chain_update(group_enc)
        .chain_update(group_public)
        .chain_update(P::LABEL);
    shared.copy_from_slice(&hash.finalize());
    Some(())
}
