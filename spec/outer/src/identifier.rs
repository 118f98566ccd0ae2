//! Identifiers and keys of the outer protocol, each its own type so that none meets another by accident.
//!
//! `Debug` prints the type's name alone: whoever logs a frame logs no identity.

/// Defines a byte-string newtype of fixed length: CBOR `bstr .size N`, opaque `Debug`.
#[macro_export]
macro_rules! fixed_bytes {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;

            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl From<[u8; $len]> for $name {
            fn from(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = core::array::TryFromSliceError;

            fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
                bytes.try_into().map(Self)
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }

        impl<C> minicbor::Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                e: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                e.bytes(&self.0)?.ok()
            }
        }

        impl<'b, C> minicbor::Decode<'b, C> for $name {
            fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
                let bytes = d.bytes()?;
                bytes.try_into().map(Self).map_err(|_| minicbor::decode::Error::message("wrong length"))
            }
        }
    };
}

fixed_bytes!(
    /// Names a mailbox to its owner: subscribe, ack, delete. Never told to a sender.
    ReceiveId, 16
);
fixed_bytes!(
    /// Names a mailbox to those who may send to it. Cannot be used to read.
    SendId, 16
);
fixed_bytes!(
    /// Names a prekey bundle to whoever holds its link.
    BundleId, 16
);
fixed_bytes!(
    /// Names a blob to whoever may write or read it.
    BlobId, 16
);
fixed_bytes!(
    /// Shown by who writes or reads a blob; the relay keeps the hash of each of the two.
    BlobCapability, 32
);
fixed_bytes!(
    /// Chosen at random by the sender; unique within a mailbox while stored and ten minutes after.
    EnvelopeId, 16
);
fixed_bytes!(
    /// A connection by long poll, chosen at random by the client: who has it, has the connection.
    PollToken, 32
);
fixed_bytes!(
    /// Shown by a sender with each envelope; the relay keeps its hash.
    SendCapability, 32
);
fixed_bytes!(
    /// SHA-256 of a [`SendCapability`] or a [`BlobCapability`].
    CapabilityHash, 32
);
fixed_bytes!(
    /// Drawn at random by a client at each start; tells a copied or restored state from the one that lives on.
    Lease, 16
);
fixed_bytes!(
    /// A relay's long-lived Ed25519 public key, pinned by every address.
    RelayIdentity, 32
);
fixed_bytes!(
    /// Ed25519 public key of one mailbox's or one bundle's owner; fresh for each, and no key of a person or device.
    OwnerKey, 32
);
fixed_bytes!(
    /// Fresh random bytes that bind a signature to one connection.
    ConnectionNonce, 32
);
fixed_bytes!(
    /// Ed25519 signature (RFC 8032) by an [`OwnerKey`], a generation's key or a [`RelayIdentity`].
    OwnerSignature, 64
);
