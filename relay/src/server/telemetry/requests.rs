//! What the hub knows of the requests that are traced.

use std::{collections::HashMap, sync::Arc, time::Instant};

use rand::{
    Rng, SeedableRng,
    rngs::{SmallRng, SysRng},
};
use rand_core::UnwrapErr;
use sotto_outer::Command;

use super::{
    Context, TelemetrySettings,
    export::Recorder,
    span::{Attribute, Span},
};
use crate::{
    core::Ticket,
    server::{
        Metrics,
        hub::Asked,
        metrics::{Via, words},
        writer::Applied,
    },
};

/// Bounds of the sizes that are told; a size itself is told of nothing.
const BYTES_BUCKETS: [u32; 4] = [1_024, 4_096, 16_384, 65_536];

/// The traced requests; nothing, where traces are off.
pub(in crate::server) struct Traces(Option<Live>);

struct Live {
    recorder: Recorder,
    rng: SmallRng,
    /// Requests are traced whose random number is below.
    below: u64,
    /// Operations of traced requests that are on their way to storage.
    waiting: HashMap<Ticket, Waiting>,
    /// The last batch that had one of them.
    batch: Option<(u64, Context)>,
}

#[derive(Clone, Copy)]
struct Waiting {
    context: Context,
    since: Instant,
}

/// A request that is traced.
pub(in crate::server) struct Traced {
    pub(in crate::server) context: Context,
    bytes_max: Option<u32>,
}

/// An envelope on its way to its reader's socket.
pub(in crate::server) struct HandOver {
    recorder: Recorder,
    span: Span,
}

impl Traces {
    pub(in crate::server) fn new(settings: Option<TelemetrySettings>, metrics: &Arc<Metrics>) -> Self {
        Self(settings.map(|TelemetrySettings { collector, sample_ratio }| Live {
            recorder: Recorder::start(collector, Arc::clone(metrics)),
            rng: SmallRng::from_rng(&mut UnwrapErr(SysRng)),
            below: below(sample_ratio),
            waiting: HashMap::new(),
            batch: None,
        }))
    }

    /// None at all.
    pub(in crate::server) const fn off() -> Self {
        Self(None)
    }

    /// Whether a request that has just come is traced.
    pub(in crate::server) fn begin(&mut self, command: &Command) -> Option<Box<Traced>> {
        let live = self.0.as_mut()?;
        if live.rng.next_u64() >= live.below {
            return None;
        }
        Some(Box::new(Traced { context: Context::root(&mut live.rng), bytes_max: bytes_bucket(command) }))
    }

    /// An operation goes to storage, for a request that may be traced.
    pub(in crate::server) fn queued(&mut self, ticket: Ticket, context: Option<Context>) {
        if let (Some(live), Some(context)) = (&mut self.0, context) {
            live.waiting.insert(ticket, Waiting { context, since: Instant::now() });
        }
    }

    /// It is done. Gives the request again.
    pub(in crate::server) fn applied(&mut self, applied: &Applied) -> Option<Context> {
        let live = self.0.as_mut()?;
        let Waiting { context, since } = live.waiting.remove(&applied.ticket)?;
        let batch = live.batch(applied);
        let queue = Span::part(context, &mut live.rng, "store.queue", since, applied.batch.started);
        let commit = Span::part(context, &mut live.rng, "store.commit", applied.batch.started, applied.at);
        live.recorder.record(queue);
        live.recorder.record(Span { link: Some(batch), ..commit });
        Some(context)
    }

    /// A request that is traced is answered, or its client is gone.
    pub(in crate::server) fn ended(&self, asked: &Asked, answer: &'static str, via: Via) {
        let (Some(live), Some(traced)) = (&self.0, &asked.traced) else { return };
        let mut span = Span::new(traced.context, asked.command, asked.at, Instant::now());
        let answer = Attribute::word("sotto.answer", answer);
        let transport = Attribute::word("sotto.transport", words::via(via));
        let bytes_max = traced.bytes_max.map(|bytes| Attribute::count("sotto.bytes_max", bytes));
        span.is_request = true;
        span.attributes = [Some(answer), Some(transport), bytes_max];
        live.recorder.record(span);
    }

    /// An envelope goes to a connection, for a request that may be traced.
    pub(in crate::server) fn hand_over(
        &mut self,
        context: Option<Context>,
        delivery: &'static str,
    ) -> Option<Box<HandOver>> {
        let live = self.0.as_mut()?;
        let now = Instant::now();
        let mut span = Span::part(context?, &mut live.rng, "hand_over", now, now);
        span.attributes[0] = Some(Attribute::word("sotto.delivery", delivery));
        Some(Box::new(HandOver { recorder: live.recorder.clone(), span }))
    }
}

impl Live {
    /// The span of a batch, told once.
    fn batch(&mut self, applied: &Applied) -> Context {
        let number = applied.batch.number;
        if let Some((_, context)) = self.batch.filter(|(last, _)| *last == number) {
            return context;
        }
        let context = Context::root(&mut self.rng);
        let mut span = Span::new(context, "store.batch", applied.batch.started, applied.at);
        let operations = u32::try_from(applied.batch.operations).unwrap_or(u32::MAX);
        span.attributes[0] = Some(Attribute::count("sotto.operations", operations));
        self.recorder.record(span);
        self.batch = Some((number, context));
        context
    }
}

impl HandOver {
    /// The socket has it.
    pub(in crate::server) fn done(self) {
        self.recorder.record(Span { to: Instant::now(), ..self.span });
    }
}

/// The number below which this part of all numbers is; a float beyond all of them becomes the largest.
fn below(ratio: f64) -> u64 {
    (ratio * 2_f64.powi(64)) as u64
}

/// The least bound that the envelope or entry does not exceed.
fn bytes_bucket(command: &Command) -> Option<u32> {
    let bytes = if let Command::Send(send) = command {
        send.payload.len()
    } else if let Command::Append(append) = command {
        append.entry.len()
    } else {
        return None;
    };
    BYTES_BUCKETS.into_iter().find(|bound| bytes <= *bound as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_the_part_that_is_traced() {
        assert_eq!((below(0.0), below(0.5), below(1.0)), (0, 1 << 63, u64::MAX));
        let mut rng = SmallRng::seed_from_u64(7);
        let traced = (0..100_000).filter(|_| rng.next_u64() < below(0.01)).count();
        assert!((900..1_100).contains(&traced), "{traced}");
    }
}
