//! What the host asks of a running relay, beside what clients ask.

use super::{Core, Output, Turn, Work};
use crate::{
    command,
    storage::blocked::{Report, ReportedId},
};

/// A question of the host that waits for its answer; named by whoever carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostTicket(pub u64);

/// What the host asks.
#[derive(Clone, Debug)]
pub enum HostCommand {
    /// Suspend what these ids name, or give it back.
    Block {
        /// Ids that were reported.
        ids: Vec<ReportedId>,
        /// Suspend, or give back.
        blocked: bool,
    },
    /// How much there is to do.
    Load,
}

/// What the host is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostAnswer {
    /// What became of each id.
    Blocked(Vec<Report>),
    /// How much there is to do.
    Load(Load),
    /// The store failed; nothing was changed.
    Failed,
}

/// How much a relay has to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Load {
    /// Connections open.
    pub connections: usize,
    /// Mailboxes that are read.
    pub subscriptions: usize,
    /// Operations on their way to the store.
    pub storage_waiting: usize,
    /// Of `create`, `send` and `subscribe`, which are turned away.
    pub turned_away: Vec<&'static str>,
}

impl Core {
    pub(super) fn host(&mut self, turn: &mut Turn<'_>, ticket: HostTicket, command: HostCommand) {
        match command {
            HostCommand::Block { ids, blocked } => command::block::handle(self, turn, ticket, ids, blocked),
            HostCommand::Load => turn.answer_host(ticket, HostAnswer::Load(self.load())),
        }
    }

    fn load(&self) -> Load {
        let work = [("create", Work::Create), ("send", Work::Send), ("subscribe", Work::Subscribe)];
        Load {
            connections: self.connections(),
            subscriptions: self.subscriptions(),
            storage_waiting: self.awaiting(),
            turned_away: work.iter().filter(|(_, work)| self.turns_away(*work)).map(|(word, _)| *word).collect(),
        }
    }
}

impl Turn<'_> {
    pub(crate) fn answer_host(&mut self, ticket: HostTicket, answer: HostAnswer) {
        self.outputs.push(Output::Host(ticket, answer));
    }
}
