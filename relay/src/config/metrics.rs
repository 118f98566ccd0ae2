//! `[metrics]`: where the relay's numbers are.

use std::net::SocketAddr;

use serde::Deserialize;

use super::{ConfigError, section::Section};

/// The port of [`Metrics::listen`] if nobody says otherwise.
const PORT: u16 = 9464;

/// `[metrics]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Metrics {
    listen: String,
}

impl Metrics {
    /// Its default, for a relay that listens at `port`: whoever lets the system choose one port wants no fixed other.
    pub(super) fn beside(port: u16) -> Self {
        Self { listen: format!("127.0.0.1:{}", if port == 0 { 0 } else { PORT }) }
    }

    /// Where `/metrics` is, if anywhere.
    pub(super) fn listen(&self) -> Result<Option<SocketAddr>, ConfigError> {
        let Self { listen } = self;
        let wrong =
            |_| ConfigError::Value { key: "metrics.listen", expected: "ADDRESS:PORT or empty", found: listen.clone() };
        if listen.is_empty() { Ok(None) } else { listen.parse().map(Some).map_err(wrong) }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::beside(PORT)
    }
}

impl Section for Metrics {
    const KEYS: &'static [&'static str] = &["listen"];

    fn check(&self) -> Result<(), ConfigError> {
        self.listen().map(drop)
    }

    fn text(&self) -> String {
        let Self { listen } = self;
        format!(
            r#"# Where /metrics (Prometheus), /livez and /readyz are, for this machine's eyes. Empty: nowhere; /livez and /readyz
# are on the clients' port as well.
listen = "{listen}"
"#
        )
    }
}
