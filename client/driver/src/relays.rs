//! The relays of one client: their tasks, which of their connections the engine knows, and what is unanswered there.
//!
//! A task may have dialled again before the engine has heard that the old connection is gone. So frames of connections
//! that the engine was not told of are dropped, and what the engine sends goes to the connection it was last told of.

use std::collections::{BTreeMap, BTreeSet};

use sotto_engine::{Change, Event};
use sotto_net::{ConnectionNumber, NetEvent, RelayTask, Route, TaskNumber, What};
use sotto_outer::{ClientFrame, RelayAddress, RelayFrame, RelayIdentity};
use tokio::{sync::mpsc, task::JoinSet};

use crate::RelayState;

/// All relays.
pub(crate) struct Relays {
    events: mpsc::Sender<NetEvent>,
    relays: BTreeMap<RelayIdentity, Relay>,
    /// Whose task a number names; numbers are given in order.
    tasks: Vec<RelayIdentity>,
}

struct Relay {
    task: RelayTask,
    state: RelayState,
    /// The connection that the engine was last told of, if it still stands for the engine. Ahead of `speaks` within a
    /// batch.
    heard: Option<ConnectionNumber>,
    /// The connection that released effects are meant for.
    speaks: Option<ConnectionNumber>,
    unanswered: BTreeSet<u32>,
    caught_up: bool,
}

/// A connection that effects released after this are meant for.
pub(crate) struct Heard {
    relay: RelayIdentity,
    connection: Option<ConnectionNumber>,
}

impl Relays {
    pub(crate) fn new(events: mpsc::Sender<NetEvent>) -> Self {
        Self { events, relays: BTreeMap::new(), tasks: Vec::new() }
    }

    /// Begins to dial a relay; one that is known already may be at this place too.
    pub(crate) fn connect(&mut self, address: RelayAddress) {
        if let Some(known) = self.relays.get(address.identity()) {
            return known.task.also_at(address);
        }
        let relay = *address.identity();
        let number = TaskNumber(self.tasks.len() as u64);
        self.tasks.push(relay);
        self.relays.entry(relay).or_insert_with(|| Relay {
            task: RelayTask::spawn(number, address, Route::default(), self.events.clone()),
            state: RelayState::Dialling,
            heard: None,
            speaks: None,
            unanswered: BTreeSet::new(),
            caught_up: false,
        });
    }

    /// What a net event is to the engine: nothing, if the engine does not know its connection; and if it begins or ends
    /// one, a mark to be released in its place among the effects.
    pub(crate) fn translate(&mut self, event: NetEvent) -> Option<(Event, Option<Heard>)> {
        let NetEvent { task, connection, what } = event;
        let relay = *self.tasks.get(usize::try_from(task.0).ok()?)?;
        let known = self.relays.get_mut(&relay)?;
        match what {
            What::Connected { address, exporter } => {
                known.heard = Some(connection);
                known.state = RelayState::Proving;
                let heard = Heard { relay, connection: known.heard };
                Some((Event::Connected { address, exporter }, Some(heard)))
            }
            What::Frame(frame) => {
                if known.heard != Some(connection) {
                    return None;
                }
                if let RelayFrame::Answer { request, answer: _ } = &frame {
                    known.unanswered.remove(request);
                }
                Some((Event::FrameReceived { relay, frame }, None))
            }
            What::Disconnected(reason) => {
                known.went_offline(reason);
                if known.heard.take() != Some(connection) {
                    return None;
                }
                Some((Event::Disconnected { relay }, Some(Heard { relay, connection: None })))
            }
            What::DialFailed(reason) => {
                known.went_offline(reason);
                None
            }
        }
    }

    /// From here on, effects are meant for another connection.
    pub(crate) fn switch(&mut self, Heard { relay, connection }: Heard) {
        if let Some(known) = self.relays.get_mut(&relay) {
            known.speaks = connection;
            known.unanswered.clear();
        }
    }

    /// Sends a frame on the connection the engine meant; without one, drops it.
    pub(crate) fn transmit(&mut self, relay: &RelayIdentity, frame: ClientFrame) {
        if let Some(known) = self.relays.get_mut(relay)
            && let Some(connection) = known.speaks
        {
            known.unanswered.insert(frame.request);
            known.task.transmit(connection, frame);
        }
    }

    /// Closes the connection the engine meant.
    pub(crate) fn close(&mut self, relay: &RelayIdentity) {
        if let Some(known) = self.relays.get_mut(relay)
            && let Some(connection) = known.speaks
        {
            known.task.close(connection);
        }
    }

    /// Closes every connection the engine was told of: it has forgotten them, and the relays deliver again what was not
    /// acked.
    pub(crate) fn begin_anew(&mut self) {
        for known in self.relays.values_mut() {
            if let Some(connection) = known.heard.take().max(known.speaks.take()) {
                known.task.close(connection);
            }
            known.unanswered.clear();
        }
    }

    /// Notes what a change says of a relay.
    pub(crate) fn note(&mut self, change: &Change) {
        let (Change::Online { relay }
        | Change::Offline { relay }
        | Change::CaughtUp { relay }
        | Change::RelayRefused { relay, problem: _ }) = change
        else {
            return;
        };
        let Some(known) = self.relays.get_mut(relay) else { return };
        match change {
            Change::Online { .. } => {
                known.caught_up = false;
                known.state = RelayState::Online { caught_up: false, unanswered: 0 };
            }
            Change::CaughtUp { .. } => known.caught_up = true,
            Change::RelayRefused { problem, .. } => known.state = RelayState::Refused(*problem),
            // The reason came with the disconnection.
            Change::Offline { .. } | Change::Answered { .. } | Change::Happened { .. } | Change::Typing { .. } => {}
        }
    }

    /// How each relay stands.
    pub(crate) fn states(&self) -> BTreeMap<RelayIdentity, RelayState> {
        self.relays.iter().map(|(relay, known)| (*relay, known.current_state())).collect()
    }

    /// Dials those that wait for their back-off now.
    pub(crate) fn hurry(&mut self) {
        for known in self.relays.values_mut() {
            if matches!(known.state, RelayState::Offline(_)) {
                known.state = RelayState::Dialling;
                known.task.hurry();
            }
        }
    }

    pub(crate) fn probe(&self) {
        self.relays.values().for_each(|known| known.task.probe());
    }

    /// Sends what is ordered, says goodbye to each relay.
    pub(crate) async fn stop(self, mut events: mpsc::Receiver<NetEvent>) {
        let Self { events: own, relays, tasks: _ } = self;
        drop(own);
        let mut stopping: JoinSet<()> = relays.into_values().map(|known| known.task.stop()).collect();
        // What still arrives is not acked, so it comes again next time; taken here, so that no task waits for room.
        tokio::join!(async { while stopping.join_next().await.is_some() {} }, async {
            while events.recv().await.is_some() {}
        });
    }
}

impl Relay {
    fn current_state(&self) -> RelayState {
        match &self.state {
            RelayState::Online { .. } => {
                RelayState::Online { caught_up: self.caught_up, unanswered: self.unanswered.len() }
            }
            other => other.clone(),
        }
    }

    /// A refusal is told until the relay is asked again: that we closed the connection afterwards explains nothing.
    fn went_offline(&mut self, reason: sotto_net::NetError) {
        if !matches!(self.state, RelayState::Refused(_)) {
            self.state = RelayState::Offline(reason);
        }
    }
}
