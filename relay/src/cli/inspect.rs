//! `inspect`: everything the relay knows now. What is not shown here, it does not have.

use std::{
    io::{self, Write},
    path::Path,
};

use super::CliError;
use crate::{
    config::{ConfigError, DataDir},
    storage::sqlite::view::{BlobView, BlockedView, BundleView, ChannelView, MailboxView, TokensView, View},
};

const PREAMBLE: &str = "\
Everything this relay keeps. Who is connected now, and from where, is in no database: only the running process and
this machine's system know it, and the relay writes it nowhere.
";

pub(super) async fn inspect(data: &Path, json: bool) -> Result<(), CliError> {
    let dir = DataDir::new(data);
    if !dir.database().exists() {
        return Err(ConfigError::Missing(data.to_owned()).into());
    }
    // The lock is held while reading, so that no relay starts meanwhile where none runs.
    let lock = dir.try_lock()?;
    let view = View::read(&dir.database(), lock.is_none()).await?;
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, &view).map_err(io::Error::from)?;
        writeln!(out)?;
        return Ok(());
    }
    writeln!(out, "{PREAMBLE}")?;
    writeln!(out, "{}", counts(&view))?;
    for (number, mailbox) in view.mailboxes.iter().enumerate() {
        write_mailbox(&mut out, number + 1, mailbox)?;
    }
    for (number, bundle) in view.bundles.iter().enumerate() {
        write_bundle(&mut out, number + 1, bundle)?;
    }
    for (number, blob) in view.blobs.iter().enumerate() {
        write_blob(&mut out, number + 1, blob)?;
    }
    for (number, channel) in view.channels.iter().enumerate() {
        write_channel(&mut out, number + 1, channel)?;
    }
    write_tokens(&mut out, &view.tokens)?;
    write_blocked(&mut out, &view.blocked)?;
    Ok(())
}

fn counts(view: &View) -> String {
    let envelopes: usize = view.mailboxes.iter().map(|mailbox| mailbox.envelopes).sum();
    let bytes: u64 = view.mailboxes.iter().map(|mailbox| mailbox.envelope_bytes).sum();
    format!(
        "{} mailboxes, {envelopes} envelopes of {bytes} bytes, {} bundles, {} ids of envelopes acknowledged a short while ago,\n\
         {} blobs and {} deleted ones whose objects are not removed yet, {} channels, {} tokens spent",
        view.mailboxes.len(),
        view.bundles.len(),
        view.acknowledged_ids,
        view.blobs.len(),
        view.blobs_gone,
        view.channels.len(),
        view.tokens.spent.len(),
    )
}

fn write_mailbox(out: &mut impl Write, number: usize, mailbox: &MailboxView) -> io::Result<()> {
    let MailboxView {
        kind,
        receive_id,
        send_id,
        owner_key,
        capability_hash,
        lease,
        day_last_used,
        envelopes,
        envelope_bytes,
        first_payload_bytes,
    } = mailbox;
    writeln!(out, "\nmailbox {number}, {kind}")?;
    writeln!(out, "  receive id       {receive_id}")?;
    writeln!(out, "  send id          {send_id}")?;
    writeln!(out, "  owner key        {owner_key}")?;
    writeln!(out, "  capability hash  {capability_hash}")?;
    writeln!(out, "  lease            {}", lease.as_deref().unwrap_or("none"))?;
    writeln!(out, "  last used        day {day_last_used} since 1970-01-01")?;
    writeln!(out, "  envelopes        {envelopes} of {envelope_bytes} bytes")?;
    if let Some(bytes) = first_payload_bytes {
        writeln!(out, "  first begins     {bytes}")?;
    }
    Ok(())
}

fn write_blob(out: &mut impl Write, number: usize, blob: &BlobView) -> io::Result<()> {
    let BlobView { id, object, bytes, write_hash, read_hash, parts, committed, expires_at } = blob;
    let state = if *committed { "committed" } else { "not committed" };
    writeln!(out, "\nblob {number}, {state}")?;
    writeln!(out, "  id               {id}")?;
    writeln!(out, "  objects' name    {object}")?;
    writeln!(out, "  size             {bytes} bytes, {parts} parts here")?;
    writeln!(out, "  write hash       {write_hash}")?;
    writeln!(out, "  read hash        {read_hash}")?;
    writeln!(out, "  ends             second {expires_at} since 1970-01-01")
}

fn write_channel(out: &mut impl Write, number: usize, channel: &ChannelView) -> io::Result<()> {
    let ChannelView {
        id,
        owner_key,
        generation,
        closed,
        day_last_used,
        generations,
        entries,
        entry_bytes,
        first_entry_bytes,
    } = channel;
    writeln!(out, "\nchannel {number}, {}", if *closed { "closed" } else { "open" })?;
    writeln!(out, "  id               {id}")?;
    writeln!(out, "  owner key        {owner_key}")?;
    writeln!(out, "  generation       {generation}")?;
    for kept in generations {
        writeln!(
            out,
            "  of generation    {}: verify key {}, read hash {}",
            kept.number, kept.verify_key, kept.read_hash
        )?;
    }
    writeln!(out, "  last used        day {day_last_used} since 1970-01-01")?;
    writeln!(out, "  entries          {entries} of {entry_bytes} bytes")?;
    if let Some(bytes) = first_entry_bytes {
        writeln!(out, "  first begins     {bytes}")?;
    }
    Ok(())
}

fn write_tokens(out: &mut impl Write, tokens: &TokensView) -> io::Result<()> {
    let TokensView { keys, admitted, spent } = tokens;
    if !keys.is_empty() {
        writeln!(out, "\ntokens")?;
    }
    for key in keys {
        writeln!(out, "  key              for a {}, of week {}: secret, not shown", key.purpose, key.week)?;
    }
    for one in admitted {
        writeln!(out, "  given            {} for a {}, to {}", one.given, one.purpose, one.holder)?;
    }
    for token in spent {
        writeln!(out, "  spent            {} under key {}", token.nonce_hash, token.key)?;
    }
    Ok(())
}

fn write_blocked(out: &mut impl Write, blocked: &[BlockedView]) -> io::Result<()> {
    if !blocked.is_empty() {
        writeln!(out, "\nblocked")?;
    }
    for BlockedView { id, day } in blocked {
        writeln!(out, "  {id}  since day {day}")?;
    }
    Ok(())
}

fn write_bundle(out: &mut impl Write, number: usize, bundle: &BundleView) -> io::Result<()> {
    let BundleView { id, owner_key, main_bytes, last_resort_bytes, pair_bytes, first_main_bytes } = bundle;
    writeln!(out, "\nbundle {number}")?;
    writeln!(out, "  id               {id}")?;
    writeln!(out, "  owner key        {owner_key}")?;
    writeln!(out, "  main part        {main_bytes} bytes, begins {first_main_bytes}")?;
    writeln!(out, "  last resort      {last_resort_bytes} bytes")?;
    writeln!(out, "  one-time parts   {} of {} bytes", pair_bytes.len(), pair_bytes.first().unwrap_or(&0))
}
