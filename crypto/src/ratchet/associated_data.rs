//! What every body is bound to beside its header: version and who talks with whom.

use sotto_inner::{DeviceId, RootKey};

/// Version 1 ‖ initiator's root 32 ‖ responder's root 32 ‖ initiator's device 16 ‖ responder's device 16: the same for both
/// sides and all packets of a session. Public, but not to be logged: it names people.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct AssociatedData([u8; AssociatedData::BYTES]);

impl AssociatedData {
    /// Length, in bytes.
    pub(crate) const BYTES: usize = 1 + 2 * 32 + 2 * 16;

    /// Of a session that `initiator` began, each with root and device.
    pub(crate) fn new(initiator: (&RootKey, &DeviceId), responder: (&RootKey, &DeviceId)) -> Self {
        let mut bytes = [0; Self::BYTES];
        bytes[0] = sotto_outer::VERSION;
        bytes[1..33].copy_from_slice(initiator.0.as_bytes());
        bytes[33..65].copy_from_slice(responder.0.as_bytes());
        bytes[65..81].copy_from_slice(initiator.1.as_bytes());
        bytes[81..].copy_from_slice(responder.1.as_bytes());
        Self(bytes)
    }

    /// Reads what the store kept; `None` for another length or version.
    pub(super) fn from_slice(bytes: &[u8]) -> Option<Self> {
        let bytes: [u8; Self::BYTES] = bytes.try_into().ok()?;
        (bytes[0] == sotto_outer::VERSION).then_some(Self(bytes))
    }

    pub(super) fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl core::fmt::Debug for AssociatedData {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("AssociatedData(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_has_its_place() {
        let data = AssociatedData::new((&[1; 32].into(), &[2; 16].into()), (&[3; 32].into(), &[4; 16].into()));
        let expected = [vec![1], vec![1; 32], vec![3; 32], vec![2; 16], vec![4; 16]].concat();
        assert_eq!(data.as_bytes().to_vec(), expected);
        assert_eq!(AssociatedData::from_slice(&expected), Some(data));
        assert_eq!(AssociatedData::from_slice(&expected[1..]), None);
        assert_eq!(AssociatedData::from_slice(&[0; AssociatedData::BYTES]), None);
    }
}
