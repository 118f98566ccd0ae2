//! The PROXY protocol, versions 1 and 2 (HAProxy's `proxy-protocol.txt`): who a trusted proxy says is at the other end.
//!
//! A header is read from trusted addresses alone, and there it must come: nobody is guessed at. No byte behind it is touched.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use tokio::io::{AsyncRead, AsyncReadExt};

/// How version 2 begins.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// The longest line of version 1, its end included.
const LINE_BYTES_MAX: usize = 107;
/// The longest header of version 2 behind its first 16 bytes: addresses, and what proxies add.
const BODY_BYTES_MAX: usize = 520;

/// Addresses with a common beginning, as `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Whether an address is among these; an IPv4 address written as IPv6 is the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                (network.to_bits() ^ address.to_bits()) & mask == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                (network.to_bits() ^ address.to_bits()) & mask == 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl FromStr for Network {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| ())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), |bits| bits.parse().map_err(|_| ()))?;
        if bits > most { Err(()) } else { Ok(Self { address, bits }) }
    }
}

/// Reads a header. None: the proxy speaks for itself, or does not say for whom.
///
/// # Errors
/// What comes is no header, or ends within it.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<IpAddr>> {
    let mut first = [0; 12];
    stream.read_exact(&mut first).await?;
    match &first {
        SIGNATURE => read_binary(stream).await,
        line if line.starts_with(b"PROXY ") => read_line(stream, line).await,
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

async fn read_line(stream: &mut (impl AsyncRead + Unpin), first: &[u8]) -> io::Result<Option<IpAddr>> {
    let mut line = first.to_vec();
    // Byte by byte: what follows the line is another's.
    while !line.ends_with(b"\r\n") {
        if line.len() == LINE_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        line.push(stream.read_u8().await?);
    }
    line_address(&line).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// `PROXY TCP4 source destination port port`, or `PROXY UNKNOWN` and anything.
fn line_address(line: &[u8]) -> Option<Option<IpAddr>> {
    let line = str::from_utf8(line).ok()?.strip_prefix("PROXY ")?.strip_suffix("\r\n")?;
    let words: Vec<_> = line.split(' ').collect();
    match words[..] {
        ["UNKNOWN", ..] => Some(None),
        [family, source, destination, source_port, destination_port] => {
            let (source, destination): (IpAddr, IpAddr) = (source.parse().ok()?, destination.parse().ok()?);
            let (_, _): (u16, u16) = (source_port.parse().ok()?, destination_port.parse().ok()?);
            let is_right = match family {
                "TCP4" => source.is_ipv4() && destination.is_ipv4(),
                "TCP6" => source.is_ipv6() && destination.is_ipv6(),
                _ => false,
            };
            is_right.then_some(Some(source.to_canonical()))
        }
        _ => None,
    }
}

async fn read_binary(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<IpAddr>> {
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    let [command, family, high, low] = head;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > BODY_BYTES_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    binary_address(command, family, &body).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn binary_address(command: u8, family: u8, body: &[u8]) -> Option<Option<IpAddr>> {
    match (command, family) {
        // LOCAL: the proxy looks whether we live.
        (0x20, _) => Some(None),
        (0x21, 0x11) => {
            let source: [u8; 4] = *body.get(..12)?.first_chunk()?;
            Some(Some(Ipv4Addr::from(source).into()))
        }
        (0x21, 0x21) => {
            let source: [u8; 16] = *body.get(..36)?.first_chunk()?;
            Some(Some(IpAddr::from(Ipv6Addr::from(source)).to_canonical()))
        }
        (0x21, 0x00) => Some(None),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn reading(mut bytes: &[u8]) -> Option<(Option<IpAddr>, &[u8])> {
        let address = read(&mut bytes).await.ok()?;
        Some((address, bytes))
    }

    fn binary(command: u8, family: u8, length: u16, body: &[u8]) -> Vec<u8> {
        [SIGNATURE.as_slice(), &[command, family], &length.to_be_bytes(), body].concat()
    }

    #[tokio::test]
    async fn both_versions_tell_who_it_is_and_leave_what_follows() {
        let v4: IpAddr = "192.0.2.7".parse().unwrap();
        let v6: IpAddr = "2001:db8::7".parse().unwrap();
        let line = b"PROXY TCP4 192.0.2.7 198.51.100.1 5000 443\r\n\x16\x03";
        assert_eq!(reading(line).await, Some((Some(v4), &[0x16, 3][..])));
        let line = b"PROXY TCP6 2001:db8::7 2001:db8::1 5000 443\r\n\x16";
        assert_eq!(reading(line).await, Some((Some(v6), &[0x16][..])));
        assert_eq!(reading(b"PROXY UNKNOWN\r\n").await, Some((None, &[][..])));
        let mut body = [0; 15];
        body[..4].copy_from_slice(&[192, 0, 2, 7]);
        let header = [binary(0x21, 0x11, 15, &body), vec![0x16]].concat();
        assert_eq!(reading(&header).await, Some((Some(v4), &[0x16][..])), "with an addition of 3 bytes");
        assert_eq!(reading(&binary(0x20, 0, 0, &[])).await, Some((None, &[][..])));
    }

    #[tokio::test]
    async fn what_is_no_header_is_refused() {
        let long = [b"PROXY UNKNOWN ".as_slice(), &[b'x'; 200]].concat();
        let wrong: [&[u8]; 9] = [
            b"GET /v1/stream HTTP/1.1\r\n\r\n",
            b"PROXY TCP4 192.0.2.7 198.51.100.1 5000\r\n",
            b"PROXY TCP4 2001:db8::7 198.51.100.1 5000 443\r\n",
            b"PROXY TCP4 192.0.2.7 198.51.100.1 5000 70000\r\n",
            b"PROXY TCP9 192.0.2.7 198.51.100.1 5000 443\r\n",
            b"PROXY TCP4 192.0.2.7  198.51.100.1 5000 443\r\n",
            b"PROXY TCP4 192.0.2.7",
            b"",
            &long,
        ];
        for header in wrong {
            assert_eq!(reading(header).await, None, "{}", header.escape_ascii());
        }
        for (command, family, length, body) in [
            (0x21, 0x11, 11, vec![0; 11]),
            (0x21, 0x21, 12, vec![0; 12]),
            (0x21, 0x11, 12, vec![0; 4]),
            (0x22, 0x11, 12, vec![0; 12]),
            (0x11, 0x11, 12, vec![0; 12]),
            (0x21, 0x31, 216, vec![0; 216]),
            (0x21, 0x11, u16::MAX, vec![0; 65_535]),
        ] {
            assert_eq!(reading(&binary(command, family, length, &body)).await, None, "{command} {family} {length}");
        }
    }

    #[test]
    fn a_network_has_its_addresses_and_no_others() {
        let has = |network: &str, address: &str| network.parse::<Network>().unwrap().contains(address.parse().unwrap());
        assert!(has("10.0.0.0/8", "10.9.8.7") && !has("10.0.0.0/8", "11.0.0.0"));
        assert!(has("10.0.0.0/8", "::ffff:10.9.8.7") && has("0.0.0.0/0", "192.0.2.7"));
        assert!(has("192.0.2.7", "192.0.2.7") && !has("192.0.2.7", "192.0.2.6"));
        assert!(has("2001:db8::/32", "2001:db8:1::") && !has("2001:db8::/32", "2001:db9::"));
        assert!(!has("::/0", "192.0.2.7"));
        for wrong in ["", "10.0.0.0/33", "::/129", "10.0.0.0/-1", "relay.example", "10.0.0.0/8/8"] {
            assert_eq!(wrong.parse::<Network>(), Err(()), "{wrong}");
        }
    }
}
