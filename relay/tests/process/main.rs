//! Real relay processes: killed, traced, on a full disk, asked nonsense.

mod client;
mod durability;
mod faults;
mod relay;
mod story;
