//! The link one person gives another: `https://RELAY/i#…`, or the same behind `sotto:`.
//!
//! The part after `#` is never sent to a relay by a client or a well-behaved browser. It holds CBOR in base64url.

use core::{fmt, str::FromStr};

use data_encoding::BASE64URL_NOPAD;
use minicbor::{Decode, Encode};
use sotto_outer::{BundleId, RelayAddress, codec, fixed_bytes};

use crate::{RootKey, limits::LINK_BYTES_MAX};

fixed_bytes!(
    /// Opens the sealed bundle parts; in a one-time invitation it authenticates the inviter too.
    LinkSecret, 32
);

/// How often a link can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum LinkKind {
    /// A contact address: lives until it is reset.
    #[n(0)]
    Address,
    /// A one-time invitation: its secret goes into the handshake.
    #[n(1)]
    Invitation,
}

/// What a link carries. `Debug` tells the kind alone.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Link {
    /// Address or invitation.
    #[n(0)]
    pub kind: LinkKind,
    /// The relay that has the bundle.
    #[n(1)]
    pub relay: RelayAddress,
    /// Whose link it is.
    #[n(2)]
    pub root: RootKey,
    /// The bundle there.
    #[n(3)]
    pub bundle: BundleId,
    /// What opens it.
    #[n(4)]
    pub secret: LinkSecret,
}

/// Why a text is no link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Neither `https://…/i#…` nor `sotto:…`.
    #[error("this is not a Sotto link: one begins with https:// and has /i# in it")]
    NotALink,
    /// The part after `#` does not decode.
    #[error("this link is incomplete or was changed on the way: ask for it again")]
    Damaged,
    /// The relay before `#` is not the one inside: someone rewrote the link.
    #[error("this link names two different relays: do not use it, ask for it again")]
    RelayMismatch,
}

impl Link {
    /// The same link behind the `sotto:` scheme, for clients to open directly.
    pub fn to_sotto_uri(&self) -> String {
        format!("sotto:{}", self.fragment())
    }

    fn fragment(&self) -> String {
        BASE64URL_NOPAD.encode(&codec::encode(self))
    }

    fn from_fragment(fragment: &str) -> Result<Self, LinkError> {
        let bytes = BASE64URL_NOPAD.decode(fragment.as_bytes()).map_err(|_| LinkError::Damaged)?;
        let link: Self = codec::decode(&bytes, LINK_BYTES_MAX).map_err(|_| LinkError::Damaged)?;
        link.relay.validate().map_err(|_| LinkError::Damaged)?;
        Ok(link)
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}/i#{}", self.relay.authority(), self.fragment())
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, relay: _, root: _, bundle: _, secret: _ } = self;
        f.debug_struct("Link").field("kind", kind).finish_non_exhaustive()
    }
}

impl FromStr for Link {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        let text = text.trim();
        if let Some(fragment) = text.strip_prefix("sotto:") {
            return Self::from_fragment(fragment);
        }
        let (before, fragment) = text.split_once("/i#").ok_or(LinkError::NotALink)?;
        let authority = before.strip_prefix("https://").ok_or(LinkError::NotALink)?;
        let link = Self::from_fragment(fragment)?;
        if !is_same_authority(authority, &link.relay) {
            return Err(LinkError::RelayMismatch);
        }
        Ok(link)
    }
}

/// As written, or as a browser's address bar writes it: in small letters, and without the port that https has anyway.
fn is_same_authority(authority: &str, relay: &RelayAddress) -> bool {
    let written = relay.authority();
    let short = written.strip_suffix(":443").unwrap_or(&written);
    authority.eq_ignore_ascii_case(&written) || authority.eq_ignore_ascii_case(short)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sotto_outer::Tls;

    fn link(host: &str) -> Link {
        Link {
            kind: LinkKind::Invitation,
            relay: RelayAddress::new(host, 4433, Tls::Own, [1; 32].into()).unwrap(),
            root: [2; 32].into(),
            bundle: [3; 16].into(),
            secret: [4; 32].into(),
        }
    }

    #[test]
    fn a_link_reads_back_in_both_forms() {
        let written = link("relay.example");
        assert_eq!(written.to_string().parse(), Ok(written.clone()));
        assert_eq!(written.to_sotto_uri().parse(), Ok(written));
    }

    #[test]
    fn a_link_reads_back_from_a_browsers_address_bar() {
        let mut written = link("Relay.Example");
        written.relay = RelayAddress::new("Relay.Example", 443, Tls::Acme, [1; 32].into()).unwrap();
        let copied = written.to_string().replace("Relay.Example:443", "relay.example");
        assert!(copied.starts_with("https://relay.example/i#"));
        assert_eq!(copied.parse(), Ok(written));
    }

    #[test]
    fn the_longest_host_still_fits() {
        let written = link(&"a".repeat(sotto_outer::limits::HOST_BYTES_MAX));
        assert!(codec::encode(&written).len() <= LINK_BYTES_MAX, "{}", codec::encode(&written).len());
        assert_eq!(written.to_string().parse(), Ok(written));
    }

    #[test]
    fn a_changed_link_is_refused() {
        let text = link("relay.example").to_string();
        assert_eq!(text.replace("relay.example", "evil.example").parse::<Link>(), Err(LinkError::RelayMismatch));
        assert_eq!(text[..text.len() - 3].parse::<Link>(), Err(LinkError::Damaged));
        let other_port = text.replace("relay.example:4433", "relay.example");
        assert_eq!(other_port.parse::<Link>(), Err(LinkError::RelayMismatch));
        assert_eq!("https://example.org/".parse::<Link>(), Err(LinkError::NotALink));
        assert_eq!("hello".parse::<Link>(), Err(LinkError::NotALink));
    }
}
