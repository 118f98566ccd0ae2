//! What a person sets for this computer, beside the profile: nothing secret. One small file, theirs alone, because it tells
//! where their profiles lie.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::action::Card;

/// Light, dark, or as the system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ThemeChoice {
    /// As the system.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

/// The file's contents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Preferences {
    /// The theme.
    pub theme: ThemeChoice,
    /// Percent, 80 to 200.
    pub zoom: u16,
    /// No fades.
    pub reduced_motion: bool,
    /// Folders of profiles other than the first.
    pub profiles: Vec<PathBuf>,
    /// Cards that were put away.
    pub put_away: Vec<PutAway>,
}

/// A card that was put away in a profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PutAway {
    /// The profile's folder.
    pub profile: PathBuf,
    /// Which.
    pub card: Card,
}

impl Preferences {
    /// Reads the file. What cannot be read is as if nothing was set.
    #[must_use]
    pub fn load(path: &Path) -> Self {
        fs::read_to_string(path).ok().and_then(|text| toml::from_str(&text).ok()).unwrap_or_default()
    }

    /// Replaces the file: after a crash it holds the old settings or the new ones.
    ///
    /// # Errors
    /// The system's.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let text = toml::to_string(self).map_err(io::Error::other)?;
        if let Some(folder) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let draft = path.with_extension("new");
        // What a crash left behind may be readable for others.
        match fs::remove_file(&draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        OpenOptions::new().create_new(true).write(true).mode(0o600).open(&draft)?.write_all(text.as_bytes())?;
        fs::rename(draft, path)
    }

    /// Cards that were put away in a profile.
    #[must_use]
    pub fn put_away(&self, profile: &Path) -> Vec<Card> {
        self.put_away.iter().filter(|away| away.profile == profile).map(|away| away.card).collect()
    }

    /// Notes that a card was put away in a profile.
    pub fn note_put_away(&mut self, profile: &Path, card: Card) {
        let away = PutAway { profile: profile.to_owned(), card };
        if !self.put_away.contains(&away) {
            self.put_away.push(away);
        }
    }
}

impl Default for Preferences {
    fn default() -> Self {
        Self {
            theme: ThemeChoice::System,
            zoom: 100,
            reduced_motion: false,
            profiles: Vec::new(),
            put_away: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_set_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sotto/desktop.toml");
        assert_eq!(Preferences::load(&path), Preferences::default());
        let mut preferences = Preferences { theme: ThemeChoice::Dark, zoom: 120, ..Preferences::default() };
        preferences.profiles.push(PathBuf::from("/home/alice/second"));
        preferences.note_put_away(Path::new("/home/alice/second"), Card::RecoveryKey);
        preferences.save(&path).unwrap();
        assert_eq!(Preferences::load(&path), preferences);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert_eq!(preferences.put_away(Path::new("/home/alice/second")), [Card::RecoveryKey]);
        assert!(preferences.put_away(Path::new("/home/alice")).is_empty());
    }

    #[test]
    fn a_damaged_file_is_as_if_nothing_was_set() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("desktop.toml");
        fs::write(&path, "theme = \"pink\"").unwrap();
        assert_eq!(Preferences::load(&path), Preferences::default());
    }
}
