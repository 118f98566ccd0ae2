//! Real relay processes: killed, traced, on a full disk, asked nonsense.

mod client;
mod durability;
mod faults;
mod polls;
mod relay;
mod story;
mod watch;
