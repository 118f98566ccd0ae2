//! What a section of `relay.toml` is, and how the sections come together.

use serde::de::DeserializeOwned;

use super::ConfigError;

/// One `[section]` of `relay.toml`; its `Default` is what a host gets who leaves it out.
pub(super) trait Section: Default + DeserializeOwned {
    /// Its keys, without its name.
    const KEYS: &'static [&'static str];

    /// Whether its values can be.
    fn check(&self) -> Result<(), ConfigError>;

    /// Its lines in a new `relay.toml`, with these values: every key, each told in a comment, without the section's head.
    fn text(&self) -> String;
}

/// Makes `Sections` of a name and a [`Section`] a line, in the order in which they are written.
macro_rules! sections {
    ($($name:ident: $section:ty,)*) => {
        /// The sections of `relay.toml`.
        #[derive(Clone, Debug, Default, serde::Deserialize)]
        #[serde(default)]
        struct Sections {
            $($name: $section,)*
        }

        impl Sections {
            /// Each section's name and keys.
            const KEYS: &[(&'static str, &'static [&'static str])] =
                &[$((stringify!($name), <$section as $crate::config::section::Section>::KEYS),)*];

            fn check(&self) -> Result<(), ConfigError> {
                $($crate::config::section::Section::check(&self.$name)?;)*
                Ok(())
            }

            fn text(&self) -> String {
                use $crate::config::section::Section;
                [$(format!("\n[{}]\n{}", stringify!($name), self.$name.text()),)*].concat()
            }
        }
    };
}

pub(super) use sections;
