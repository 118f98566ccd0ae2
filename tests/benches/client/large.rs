//! 100,000 messages in 50 conversations beside 5,000: opening up to the first 200 rows, resident memory; and search against a
//! plain scan.

use std::{
    collections::BTreeSet,
    env,
    io::{self, Write as _},
    path::Path,
    process::Command,
    time::Instant,
};

use sotto_driver::{Client, Options, RecoveryKey, Store, Unlock, view};
use sotto_engine::{Order, Range, Rows as _, Table};
use sotto_store::Snapshot;
use sotto_tests::profile_maker::{Recipe, make};
use tempfile::TempDir;

use crate::{house::recovery, say};

/// The role of a process that opens a profile and tells what it cost.
pub(crate) const CHILD: &str = "open";
const MESSAGES: usize = 100_000;
/// So few that they are nothing, and enough to fill the first window.
const FEW_MESSAGES: usize = 5_000;
const CONVERSATIONS: usize = 50;
const RUNS: usize = 9;
const WINDOW: usize = 200;
const HITS: usize = 50;

struct Made {
    name: &'static str,
    folder: TempDir,
    recovery: RecoveryKey,
}

/// What opening cost: milliseconds, and KiB resident.
type Cost = (f64, f64);

pub(crate) fn run() {
    let profiles = [
        made("no contacts", Recipe::new(0, 0)),
        made("50 conversations, 5,000 messages", Recipe::new(FEW_MESSAGES, CONVERSATIONS)),
        made("50 conversations, 100,000 messages", Recipe::new(MESSAGES, CONVERSATIONS)),
    ];
    // The first time, what has become due meanwhile is done.
    for profile in &profiles {
        open(profile);
    }
    let mut costs = vec![vec![]; profiles.len()];
    for _ in 0..RUNS {
        profiles.iter().zip(&mut costs).for_each(|(profile, costs)| costs.push(open(profile)));
    }
    let costs: Vec<Cost> =
        costs.iter().map(|costs| (median(costs, |cost| cost.0), median(costs, |cost| cost.1))).collect();
    for (profile, (millis, kib)) in profiles.iter().zip(&costs) {
        say(&format!("{}: open to first window {millis:.1} ms, {:.1} MiB resident", profile.name, kib / 1_024.0));
    }
    let (few, many) = (costs[1], costs[2]);
    say(&format!(
        "100,000 messages beside 5,000: open ×{:.2}, resident ×{:.2} (goal 1.10, 1.15)",
        many.0 / few.0,
        many.1 / few.1
    ));
    search(&profiles[2]);
}

fn made(name: &'static str, recipe: Recipe) -> Made {
    let (folder, recovery) = (tempfile::tempdir().expect("a folder"), RecoveryKey::generate().expect("a key"));
    let text = recovery.to_text();
    let started = Instant::now();
    make(folder.path(), &Unlock::Recovery(recovery), &recipe).expect("a profile");
    say(&format!("{name}: made in {:.1} s", started.elapsed().as_secs_f64()));
    Made { name, folder, recovery: RecoveryKey::parse(&text).expect("a recovery key") }
}

/// Opens a profile in a process of its own.
fn open(profile: &Made) -> Cost {
    let own = env::current_exe().expect("this program");
    let child = Command::new(own).arg(CHILD).arg(profile.folder.path()).arg(&*profile.recovery.to_text()).output();
    let told = String::from_utf8(child.expect("a process").stdout).expect("text");
    let (millis, kib) = told.trim().split_once(' ').expect("two numbers");
    (millis.parse().expect("a number"), kib.parse().expect("a number"))
}

/// The process that [`open`] starts.
pub(crate) fn child(folder: &Path, key: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let _inside = runtime.enter();
    let (options, unlock) = (Options { profile: folder.to_owned(), network: false }, recovery(key));
    let started = Instant::now();
    let client = Client::open(&options, &unlock).expect("a client");
    let window = client.view(|rows| {
        view::totals(rows)?;
        let chats = view::contacts(rows)?;
        chats.first().map_or(Ok(vec![]), |chat| view::history(rows, &chat.id, None, WINDOW))
    });
    let millis = started.elapsed().as_secs_f64() * 1e3;
    let status = std::fs::read_to_string("/proc/self/status").expect("a process");
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
    writeln!(io::stdout(), "{millis} {}", resident.trim().trim_end_matches(" kB")).expect("an output");
    drop(window.expect("rows"));
    runtime.block_on(client.close());
}

fn search(profile: &Made) {
    let unlock = recovery(&profile.recovery.to_text());
    let store = Store::open(profile.folder.path(), &unlock).expect("a store");
    let mut reader = store.reader().expect("a reader");
    let rows = reader.snapshot().expect("a snapshot");
    let texts: Vec<(Vec<u8>, String)> = rows
        .scan(Table::Message, &Range::all(), Order::Ascending, usize::MAX)
        .expect("rows")
        .into_iter()
        .map(|(key, row)| (key, view::message_of_row(&row).expect("a message").text.to_lowercase()))
        .collect();
    let (long, short) = (queries(&texts, 3..=9), queries(&texts, 1..=2));
    for (name, queries, goal) in [("3 letters and more", &long, 30.0), ("1 and 2 letters", &short, 30.0)] {
        let mut times: Vec<f64> = queries.iter().map(|query| timed(&rows, query)).collect();
        times.sort_by(f64::total_cmp);
        let at = |percent: usize| times[(times.len() - 1) * percent / 100];
        say(&format!(
            "search, {name}: p50 {:.1} ms, p95 {:.1} ms, most {:.1} ms (goal p95 {goal:.0})",
            at(50),
            at(95),
            at(100)
        ));
    }
    let missed: usize = long.iter().chain(&short).step_by(7).map(|query| missed(&rows, &texts, query)).sum();
    say(&format!("search: hits of a plain scan that it misses: {missed} (goal 0)"));
}

/// Pieces of what is there, spread over all of it.
fn queries(texts: &[(Vec<u8>, String)], signs: std::ops::RangeInclusive<usize>) -> Vec<String> {
    let lengths: Vec<usize> = signs.collect();
    let piece = |(number, (_, text)): (usize, &(Vec<u8>, String))| {
        let words: Vec<&str> = text.split_whitespace().collect();
        let word: Vec<char> = words[number % words.len()].chars().collect();
        let length = lengths[number % lengths.len()];
        (word.len() >= length).then(|| word[..length].iter().collect())
    };
    texts.iter().step_by(331).enumerate().filter_map(piece).collect()
}

fn timed(rows: &Snapshot<'_>, query: &str) -> f64 {
    let started = Instant::now();
    rows.search(query, HITS).expect("rows");
    started.elapsed().as_secs_f64() * 1e3
}

fn missed(rows: &Snapshot<'_>, texts: &[(Vec<u8>, String)], query: &str) -> usize {
    let found: BTreeSet<Vec<u8>> = rows.search(query, usize::MAX).expect("rows").into_iter().collect();
    texts.iter().filter(|(key, text)| text.contains(query) && !found.contains(key)).count()
}

fn median(costs: &[Cost], of: impl Fn(&Cost) -> f64) -> f64 {
    let mut values: Vec<f64> = costs.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
