//! `[telemetry]`: traces for short diagnosis.

use serde::Deserialize;

use super::{ConfigError, section::Section};
use crate::server::{Collector, TelemetrySettings};

/// `[telemetry]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Telemetry {
    otlp_endpoint: String,
    sample_ratio: f64,
}

impl Telemetry {
    /// As the server takes them; none where there are to be no traces.
    pub(super) fn to_settings(&self) -> Result<Option<TelemetrySettings>, ConfigError> {
        let Self { otlp_endpoint, sample_ratio } = self;
        if otlp_endpoint.is_empty() {
            return Ok(None);
        }
        let expected = "http://HOST:PORT of a private or local address, https://HOST:PORT, or empty";
        let wrong = |_| ConfigError::Value { key: "telemetry.otlp_endpoint", expected, found: otlp_endpoint.clone() };
        let collector: Collector = otlp_endpoint.parse().map_err(wrong)?;
        Ok(Some(TelemetrySettings { collector, sample_ratio: *sample_ratio }))
    }
}

impl Default for Telemetry {
    fn default() -> Self {
        Self { otlp_endpoint: String::new(), sample_ratio: 0.01 }
    }
}

impl Section for Telemetry {
    const KEYS: &'static [&'static str] = &["otlp_endpoint", "sample_ratio"];

    fn check(&self) -> Result<(), ConfigError> {
        let ratio = self.sample_ratio;
        if !(0.0..=1.0).contains(&ratio) {
            let (key, expected) = ("telemetry.sample_ratio", "from 0 to 1");
            return Err(ConfigError::Value { key, expected, found: ratio.to_string() });
        }
        self.to_settings().map(drop)
    }

    fn text(&self) -> String {
        let Self { otlp_endpoint, sample_ratio } = self;
        format!(
            r#"# Where traces go, by OTLP over HTTP: "http://HOST:PORT" in a network of your own, or "https://HOST:PORT". Empty: none.
# Careful: traces put on record when requests came, and which delivery followed which send, to the microsecond. They name
# nobody, but the relay itself never keeps these times, and with them whoever has your trace store sees more than you do.
# For a diagnosis of hours, not for every day; delete the traces afterwards.
otlp_endpoint = "{otlp_endpoint}"
# The part of requests that is traced, 0.0 to 1.0.
sample_ratio = {sample_ratio:?}
"#
        )
    }
}
