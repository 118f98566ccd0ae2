//! What view code asks for. Applied after the frame: what concerns the window alone is done by the app, the rest goes to
//! the backend, which turns it into intents.

use std::path::PathBuf;

use sotto_driver::{ContactId, ContentId, ManifestHash};
use zeroize::Zeroizing;

use crate::{preferences::ThemeChoice, view::Anchor};

/// A text that is wiped when it is dropped: a passphrase or a recovery key as it was typed.
pub type SecretText = Zeroizing<String>;

/// One wish of the person.
#[derive(Clone)]
pub enum Action {
    // The window alone.
    /// Show a dialog over everything else.
    Open(Dialog),
    /// Unwind one layer: dialog, search, details, conversation.
    Back,
    /// Show or hide the details pane.
    ToggleDetails,
    /// Put the keyboard focus somewhere.
    Focus(Place),
    /// Put a text on the clipboard and say so.
    Copy(String),
    /// Say something at the bottom of the window.
    Toast(crate::view::Toast),

    // A profile's life.
    /// Make a profile in the current (empty) place.
    CreateProfile {
        /// The person's name.
        name: String,
        /// The relay's address, as typed.
        relay: String,
        /// What locks it; none where the system's keyring holds the key.
        passphrase: Option<SecretText>,
        /// A SOCKS5 proxy, as typed; none for a direct connection.
        proxy: Option<String>,
    },
    /// Open the locked profile: by what was typed, or without by the system's keyring.
    Unlock(Option<SecretText>),
    /// Close the database and draw the lock screen alone.
    Lock,
    /// Close this profile and open another, which may be one that does not exist yet.
    SwitchProfile(PathBuf),
    /// Make room for one more profile and go to its first screen.
    NewProfile,
    /// Add a passphrase to what opens the profile.
    AddPassphrase(SecretText),
    /// Draw a new recovery key; the view shows it once.
    NewRecoveryKey,
    /// The recovery key was written down, or the card is not wanted now.
    DismissCard(Card),

    // People.
    /// Look at a link before anything is said to its owner.
    PreviewLink(String),
    /// Find a link, or the safety number where one is compared, in a picture.
    ReadPicture(PictureSource),
    /// Ask which picture, with the system's dialog.
    ChoosePicture,
    /// Forget the preview.
    DropPreview,
    /// Write to the owner of the link that is previewed.
    Connect {
        /// Shown with the request.
        text: Option<String>,
    },
    /// Accept a request.
    Accept(ContactId),
    /// Decline a request silently.
    Decline(ContactId),
    /// Take nothing more from a contact.
    Block(ContactId),
    /// Pictures that are read from now on show this contact's safety number, not a link; none once that is over.
    Compare(Option<ContactId>),
    /// The safety numbers were compared and are the same.
    Verify(ContactId),
    /// Go on with a contact whose identity is in doubt, unverified.
    GoOn(ContactId, Option<ManifestHash>),
    /// Get a link to give away: the contact address, or a new one-time invitation.
    Invite {
        /// One-time.
        once: bool,
    },
    /// Make the contact address anew; the old link is dead then.
    ResetAddress,
    /// Let strangers with the contact address ask, or not.
    SwitchAddress(bool),

    // Conversations.
    /// Show a conversation, from its unread line or its end.
    Select(ContactId),
    /// Show none.
    Deselect,
    /// Move the window of rows.
    MoveWindow(Anchor),
    /// Send a text to the open conversation.
    Send {
        /// To whom.
        chat: ContactId,
        /// The text.
        text: String,
    },
    /// Keep what is written and not sent.
    SaveDraft {
        /// Whose conversation.
        chat: ContactId,
        /// The text; empty for none.
        text: String,
    },
    /// Typing began or stopped.
    Typing {
        /// In whose conversation.
        chat: ContactId,
        /// Whether it began.
        active: bool,
    },
    /// The newest messages of the open conversation were on the screen of a focused window.
    MarkRead(ContactId),
    /// Try what waits now.
    Retry,
    /// Say where a message is, and why not further.
    Why {
        /// Whose conversation.
        chat: ContactId,
        /// Which message.
        message: ContentId,
    },
    /// Find messages.
    Search(String),

    // Settings.
    /// Light, dark, or as the system.
    SetTheme(ThemeChoice),
    /// Percent, 80 to 200.
    SetZoom(u16),
    /// No fades.
    SetReducedMotion(bool),
    /// The name told to contacts.
    SetName(String),
    /// Dial through a SOCKS5 proxy, as typed; none for a direct connection.
    SetProxy(Option<String>),
    /// The relays of this profile, as typed, the preferred one first.
    SetRelays(Vec<String>),
    /// The window is focused, or not.
    WindowFocused(bool),
    /// Close the window.
    Quit,
}

/// Where a picture comes from.
#[derive(Clone)]
pub enum PictureSource {
    /// A file.
    File(PathBuf),
    /// Its bytes, as dropped or pasted.
    Bytes(std::sync::Arc<[u8]>),
}

/// A dialog over the window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dialog {
    /// Paste a link, drop a picture.
    AddContact,
    /// Our own link.
    Invitation,
    /// Compare the safety number.
    Verify(ContactId),
    /// Before a contact is blocked.
    ConfirmBlock(ContactId),
    /// Before the contact address is made anew.
    ConfirmReset,
    /// Where a message is.
    Why,
    /// Jump to any conversation or command.
    Palette,
    /// The keys.
    Help,
    /// The settings.
    Settings,
    /// The profiles.
    Profiles,
    /// A passphrase to add.
    Passphrase,
    /// The recovery key, shown once.
    RecoveryKey,
}

/// A card that can be put away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Card {
    /// Write down a recovery key.
    RecoveryKey,
    /// Add a passphrase beside the keyring.
    Passphrase,
}

/// Where the keyboard focus can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The list's search field.
    Search,
    /// The composer.
    Composer,
    /// The conversation list.
    List,
}

/// Tells the kind, never what was typed.
impl std::fmt::Debug for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Action(..)")
    }
}
