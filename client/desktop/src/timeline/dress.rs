//! What stands around a row because of its neighbours: day chip, unread line, gap, and which corners of its bubble are
//! joined. Under the last message that waits: why.

use sotto_driver::{ContactState, ContentId, MessageStatus};

use crate::view::{Conversation, Network, Row, RowKind, Timeline};

/// Around one row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Dress {
    /// It is the first of its day.
    pub(super) day: bool,
    /// The first of so many unread.
    pub(super) unread: Option<u64>,
    /// Same sender as the row above, shortly after.
    pub(super) joins_above: bool,
    /// Same sender as the row below, shortly before.
    pub(super) joins_below: bool,
    /// Said under it.
    pub(super) foot: Option<Foot>,
}

/// Why a message did not go yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Foot {
    /// No relay is reached.
    Offline,
    /// The person has to choose first.
    Held,
    /// It goes when they accept.
    Request,
    /// Online, and still here after a while.
    Slow,
    /// Nobody can receive it.
    Failed,
}

impl Foot {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Offline => "Waiting for a connection",
            Self::Held => "Waiting for your decision",
            Self::Request => "Goes out when your request is accepted",
            Self::Slow => "Not sent yet",
            Self::Failed => "Could not be delivered",
        }
    }

    /// Whether trying again now may help.
    pub(super) fn retry(self) -> bool {
        match self {
            Self::Offline | Self::Slow | Self::Failed => true,
            Self::Held | Self::Request => false,
        }
    }
}

impl Dress {
    /// The height above the body, in points.
    pub(super) fn lead(self) -> f32 {
        let day = if self.day { DAY_GAP + DAY } else { 0.0 };
        let unread = if self.unread.is_some() { UNREAD_GAP + UNREAD } else { 0.0 };
        day + unread + if self.joins_above { GAP_JOINED } else { GAP }
    }

    /// The height under the bubble, in points.
    pub(super) fn foot_height(self) -> f32 {
        if self.foot.is_some() { FOOT } else { 0.0 }
    }
}

/// Dresses all rows of a window. `day_of` numbers the day of a time.
pub(super) fn dress(timeline: &Timeline, foot: Option<(ContentId, Foot)>, day_of: impl Fn(u64) -> i32) -> Vec<Dress> {
    let rows = timeline.rows.as_slice();
    let days: Vec<i32> = rows.iter().map(|row| day_of(row.time)).collect();
    let mut dresses: Vec<Dress> = Vec::with_capacity(rows.len());
    for (index, row) in rows.iter().enumerate() {
        let above = index.checked_sub(1);
        let day = above.map_or(timeline.at_start, |above| days[above] != days[index]);
        let unread = timeline.unread.filter(|(id, _)| *id == row.id).map(|(_, count)| count);
        let foot = foot.filter(|(id, _)| *id == row.id).map(|(_, foot)| foot);
        let joins = above.filter(|above| !day && unread.is_none() && dresses[*above].foot.is_none());
        let joins_above = joins.is_some_and(|above| same_cluster(&rows[above], row));
        if let Some(above) = above {
            dresses[above].joins_below = joins_above;
        }
        dresses.push(Dress { day, unread, joins_above, joins_below: false, foot });
    }
    dresses
}

fn same_cluster(above: &Row, row: &Row) -> bool {
    match (&above.kind, &row.kind) {
        (RowKind::Message { own: a, .. }, RowKind::Message { own: b, .. }) => {
            a == b && row.time.abs_diff(above.time) < CLUSTER_MILLIS
        }
        (RowKind::Notice(_), _) | (_, RowKind::Notice(_)) => false,
    }
}

/// The last own message that waits here, and why.
pub(super) fn foot(
    rows: &[Row],
    conversation: Option<&Conversation>,
    network: &Network,
    now: u64,
) -> Option<(ContentId, Foot)> {
    let waits = |row: &&Row| matches!(row.kind, RowKind::Message { own: true, status: MessageStatus::Queued, .. });
    let row = rows.iter().rev().find(waits)?;
    let state = conversation.map_or(ContactState::Connected, |conversation| conversation.state);
    let foot = match state {
        ContactState::LinkDead | ContactState::LinkForged | ContactState::Unreachable | ContactState::Blocked => {
            Foot::Failed
        }
        _ if conversation.is_some_and(|conversation| conversation.held) => Foot::Held,
        _ if !network.online => Foot::Offline,
        ContactState::Requested => Foot::Request,
        ContactState::Connecting | ContactState::Incoming | ContactState::Connected | ContactState::Declined => {
            if now.saturating_sub(row.time) < SLOW_MILLIS {
                return None;
            }
            Foot::Slow
        }
    };
    Some((row.id, foot))
}

/// When a message that waits here becomes worth a word, from now on in milliseconds.
pub(super) fn until_slow(rows: &[Row], now: u64) -> Option<u64> {
    let newest = rows.iter().rev().find(|row| matches!(row.kind, RowKind::Message { own: true, .. }))?;
    let waits = matches!(newest.kind, RowKind::Message { status: MessageStatus::Queued, .. });
    (newest.time + SLOW_MILLIS).checked_sub(now).filter(|left| waits && *left > 0)
}

/// Same sender within this: one cluster.
const CLUSTER_MILLIS: u64 = 3 * 60 * 1000;
/// After this a message that is still here is worth a word.
const SLOW_MILLIS: u64 = 20_000;

// Points.
/// Above a cluster, and inside one.
const GAP: f32 = 10.0;
const GAP_JOINED: f32 = 2.0;
/// The day chip, and what is above it.
pub(super) const DAY: f32 = 24.0;
pub(super) const DAY_GAP: f32 = 16.0;
/// The unread line, and what is above it.
pub(super) const UNREAD: f32 = 20.0;
pub(super) const UNREAD_GAP: f32 = 12.0;
/// A line under a bubble.
pub(super) const FOOT: f32 = 20.0;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::timeline::fixtures::{id, message, timeline};

    const MINUTE: u64 = 60_000;

    fn joined(dresses: &[Dress]) -> Vec<(bool, bool)> {
        dresses.iter().map(|dress| (dress.joins_above, dress.joins_below)).collect()
    }

    #[test]
    fn one_sender_within_minutes_is_a_cluster() {
        let rows = [(true, 0), (true, 2), (true, 6), (false, 7), (false, 8)];
        let rows = rows.iter().zip(0..).map(|((own, minute), n)| message(n, minute * MINUTE, *own, "hi")).collect();
        let dresses = dress(&timeline(rows), None, |_| 0);
        assert_eq!(joined(&dresses), [(false, true), (true, false), (false, false), (false, true), (true, false)]);
    }

    #[test]
    fn a_day_an_unread_line_and_a_foot_end_a_cluster() {
        let mut timeline = timeline((0..4).map(|n| message(n, u64::from(n) * MINUTE, true, "hi")).collect());
        timeline.unread = Some((id(2), 2));
        let dresses = dress(&timeline, Some((id(2), Foot::Offline)), |time| i32::from(time >= MINUTE));
        assert_eq!(joined(&dresses), [(false, false); 4]);
        assert_eq!(dresses.iter().map(|dress| dress.day).collect::<Vec<_>>(), [true, true, false, false]);
        assert_eq!(dresses[2].unread, Some(2));
    }

    #[test]
    fn the_first_row_has_a_day_only_where_the_conversation_begins() {
        let mut timeline = timeline(vec![message(0, 0, true, "hi")]);
        timeline.at_start = false;
        assert!(!dress(&timeline, None, |_| 0)[0].day);
    }

    #[test]
    fn only_the_last_that_waits_says_so() {
        let mut rows: Vec<Row> = (0..3).map(|n| message(n, 0, true, "hi")).collect();
        let offline = Network { online: false, ..Network::default() };
        assert_eq!(foot(&rows, None, &offline, 0), None, "delivered ones wait for nothing");
        for row in &mut rows[..2] {
            row.kind = RowKind::Message { own: true, status: MessageStatus::Queued, text: Arc::from("hi") };
        }
        assert_eq!(foot(&rows, None, &offline, 0), Some((id(1), Foot::Offline)));
        let online = Network { online: true, ..Network::default() };
        assert_eq!(foot(&rows, None, &online, 1000), None, "a moment is no trouble");
        assert_eq!(foot(&rows, None, &online, SLOW_MILLIS), Some((id(1), Foot::Slow)));
    }
}
