//! What the backend tells the window: each update replaces one part of the [`View`], so the last one of a kind is the truth.

use std::sync::Arc;

use crate::{
    action::{Card, SecretText},
    preferences::Preferences,
    view::{
        Account, Conversation, Invitation, Network, PictureResult, Preview, Profile, Search, Stage, Timeline, Toast,
        View, Why,
    },
};

/// One part of the view, as it is from now on.
#[derive(Clone)]
pub enum Update {
    /// How far the profile is. All but the open stage empties what belongs to an open profile.
    Stage(Stage),
    /// The profiles of this computer.
    Profiles(Vec<Profile>),
    /// Whose profile is open.
    Account(Option<Account>),
    /// The conversations.
    Conversations(Arc<Vec<Conversation>>),
    /// The open conversation.
    Timeline(Option<Timeline>),
    /// How the relays are reached.
    Network(Network),
    /// What the person set.
    Preferences(Preferences),
    /// Our own link.
    Invitation(Option<Invitation>),
    /// The link that is looked at.
    Preview(Option<Preview>),
    /// Where the message asked about is.
    Why(Option<Why>),
    /// What a search found.
    Search(Option<Search>),
    /// Cards that may be put away.
    Cards(Vec<Card>),
    /// A recovery key that is shown once; none once it was put away.
    RecoveryKey(Option<SecretText>),
    /// The result of comparing a picture of their code.
    Picture(Option<PictureResult>),
    /// Something to say at the bottom.
    Toast(Toast),
}

/// Tells the kind, never what it holds.
impl std::fmt::Debug for Update {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Stage(_) => "Stage(..)",
            Self::Profiles(_) => "Profiles(..)",
            Self::Account(_) => "Account(..)",
            Self::Conversations(_) => "Conversations(..)",
            Self::Timeline(_) => "Timeline(..)",
            Self::Network(_) => "Network(..)",
            Self::Preferences(_) => "Preferences(..)",
            Self::Invitation(_) => "Invitation(..)",
            Self::Preview(_) => "Preview(..)",
            Self::Why(_) => "Why(..)",
            Self::Search(_) => "Search(..)",
            Self::Cards(_) => "Cards(..)",
            Self::RecoveryKey(_) => "RecoveryKey(..)",
            Self::Picture(_) => "Picture(..)",
            Self::Toast(_) => "Toast(..)",
        })
    }
}

impl View {
    /// Takes an update over.
    pub fn apply(&mut self, update: Update) {
        match update {
            Update::Stage(stage) => self.enter(stage),
            Update::Profiles(profiles) => self.profiles = profiles,
            Update::Account(account) => self.account = account,
            Update::Conversations(conversations) => self.conversations = conversations,
            Update::Timeline(timeline) => self.timeline = timeline,
            Update::Network(network) => self.network = network,
            Update::Preferences(preferences) => self.preferences = preferences,
            Update::Invitation(invitation) => self.invitation = invitation,
            Update::Preview(preview) => self.preview = preview,
            Update::Why(why) => self.why = why,
            Update::Search(search) => self.search = search,
            Update::Cards(cards) => self.cards = cards,
            Update::RecoveryKey(key) => self.recovery_key = key,
            Update::Picture(picture) => self.picture = picture,
            Update::Toast(toast) => self.say(toast),
        }
    }

    /// Says something at the bottom. What stands there already is not said twice.
    pub fn say(&mut self, toast: Toast) {
        if self.toasts.iter().all(|(_, said)| *said != toast) {
            self.toasts_said += 1;
            self.toasts.push((self.toasts_said, toast));
        }
    }

    /// A profile that is not open leaves nothing behind that could be drawn: only what concerns the computer stays.
    fn enter(&mut self, stage: Stage) {
        if stage != Stage::Open {
            if self.stage == Stage::Open {
                // What was looked at or said there is not the next one's, nor is a profile called by its account's name now.
                (self.preview, self.toasts, self.profiles) = (None, Vec::new(), Vec::new());
            }
            *self = Self {
                stage,
                profiles: std::mem::take(&mut self.profiles),
                preferences: std::mem::take(&mut self.preferences),
                preview: self.preview.take(),
                toasts: std::mem::take(&mut self.toasts),
                toasts_said: self.toasts_said,
                clock: self.clock,
                ..Self::default()
            };
            return;
        }
        self.stage = stage;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::{Locked, Trouble};

    #[test]
    fn a_locked_profile_leaves_nothing_to_draw() {
        let mut view = View::default();
        view.apply(Update::Stage(Stage::Open));
        view.apply(Update::Search(Some(Search { query: "secret".to_owned(), hits: Vec::new() })));
        view.apply(Update::RecoveryKey(Some(SecretText::new("ABCD".to_owned()))));
        assert!(!format!("{view:?}").contains("ABCD"));
        view.apply(Update::Preview(Some(Preview::Refused(Trouble::default()))));
        view.apply(Update::Toast(Toast { text: "secret".to_owned(), error: true }));
        let profile = Profile { label: "Alice".to_owned(), path: "/home/alice".into(), current: true };
        view.apply(Update::Profiles(vec![profile]));
        view.apply(Update::Stage(Stage::Locked(Locked::default())));
        assert!(view.search.is_none() && view.recovery_key.is_none() && view.conversations.is_empty());
        assert!(view.preview.is_none() && view.toasts.is_empty() && view.profiles.is_empty());
    }

    #[test]
    fn a_toast_has_a_number_of_its_own() {
        let toast = |text: &str| Toast { text: text.to_owned(), error: false };
        let mut view = View::default();
        for text in ["one", "one", "two"] {
            view.apply(Update::Toast(toast(text)));
        }
        view.toasts.retain(|(number, _)| *number != 2);
        view.apply(Update::Toast(toast("three")));
        assert_eq!(view.toasts.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 3]);
    }
}
