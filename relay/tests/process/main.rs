//! Real relay processes: killed, traced, on a full disk, asked nonsense.

mod admin;
mod admin_backup;
mod authority;
mod blobs;
mod blobs_client;
mod blobs_s3;
mod browser;
mod channels;
mod client;
mod durability;
mod faults;
mod history;
mod issuer;
mod issuer_key;
mod join;
mod openapi;
mod page;
mod polls;
mod relay;
mod serving;
mod story;
mod telemetry;
mod tokens;
mod visitor;
mod watch;
