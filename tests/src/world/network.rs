//! Lines between clients and relays. A line is ordered and loses nothing until it is cut; a cut loses what was under way,
//! and each end learns of it in its own time. Nobody is told which.

use std::collections::BTreeMap;

use sotto_engine::Line;
use sotto_outer::RelayIdentity;
use sotto_relay::core::Conn;

use super::{chance::Chance, client::ClientId, clock::SECOND};

/// How the network treats lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weather {
    /// The longest a frame is under way, in milliseconds.
    pub delay_millis_max: u64,
    /// One frame in this many cuts its line; 0 is never.
    pub cut_one_in: u64,
}

impl Weather {
    /// Frames take up to 80 ms and no line is cut.
    pub const FAIR: Self = Self { delay_millis_max: 80, cut_one_in: 0 };
}

/// One connection of a line.
#[derive(Debug)]
struct Connection {
    client: ClientId,
    line: Line,
    /// What an end sends arrives no earlier than what it sent before.
    last_at_relay: u64,
    last_at_client: u64,
}

/// All lines that stand.
#[derive(Debug)]
pub(super) struct Network {
    pub(super) weather: Weather,
    lines: BTreeMap<Conn, Connection>,
    made: u64,
    chance: Chance,
}

/// Which end of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Client,
    Relay,
}

impl Network {
    pub(super) fn new(seed: u64) -> Self {
        Self { weather: Weather::FAIR, lines: BTreeMap::new(), made: 0, chance: Chance::fork(seed, "network", 0) }
    }

    /// A new line.
    pub(super) fn connect(&mut self, client: ClientId, line: Line, now: u64) -> Conn {
        let conn = Conn(self.made);
        self.made += 1;
        self.lines.insert(conn, Connection { client, line, last_at_relay: now, last_at_client: now });
        conn
    }

    /// Whose connection this is, and of which line, while it stands.
    pub(super) fn owner(&self, conn: Conn) -> Option<(ClientId, Line)> {
        self.lines.get(&conn).map(|connection| (connection.client, connection.line))
    }

    /// Whether a frame can still arrive.
    pub(super) fn stands(&self, conn: Conn) -> bool {
        self.lines.contains_key(&conn)
    }

    /// When a frame sent now towards `end` arrives; none if the line is cut, or is cut by this frame.
    pub(super) fn arrival(&mut self, conn: Conn, end: End, now: u64) -> Option<u64> {
        let line = self.lines.get_mut(&conn)?;
        let last = match end {
            End::Client => &mut line.last_at_client,
            End::Relay => &mut line.last_at_relay,
        };
        *last = (*last).max(now + self.chance.between(1, self.weather.delay_millis_max.max(1)));
        let arrival = *last;
        (!self.chance.one_in(self.weather.cut_one_in)).then_some(arrival)
    }

    /// Cuts a line. Says when each end notices, client first; none if it was cut before.
    pub(super) fn cut(&mut self, conn: Conn, now: u64) -> Option<(u64, u64)> {
        self.lines.remove(&conn)?;
        Some((now + self.chance.between(1, 20 * SECOND), now + self.chance.between(1, 60 * SECOND)))
    }

    /// All lines that stand.
    pub(super) fn standing(&self) -> Vec<Conn> {
        self.lines.keys().copied().collect()
    }

    /// The lines of a relay that stand.
    pub(super) fn standing_at(&self, relay: &RelayIdentity) -> Vec<Conn> {
        let there = self.lines.iter().filter(|(_, connection)| connection.line.relay == *relay);
        there.map(|(conn, _)| *conn).collect()
    }
}
