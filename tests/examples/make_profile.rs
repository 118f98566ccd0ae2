//! Makes a profile with a past in a folder: `cargo run --release -p sotto-tests --example make_profile -- DIR --messages 100000
//! --conversations 50`. Its passphrase is `correct horse battery staple`, unless `SOTTO_PASSPHRASE` is another.

use std::{env, error::Error, path::PathBuf};

use sotto_engine::Timestamp;
use sotto_store::{Passphrase, Unlock};
use sotto_tests::profile_maker::{Recipe, make};

fn main() -> Result<(), Box<dyn Error>> {
    let (mut folder, mut recipe) = (None, Recipe::new(100_000, 50));
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().ok_or(USAGE)?.parse::<u64>().map_err(|_| USAGE);
        match argument.as_str() {
            "--messages" => recipe.messages = usize::try_from(number()?)?,
            "--conversations" => recipe.conversations = usize::try_from(number()?)?,
            "--seed" => recipe.seed = number()?,
            "--until" => recipe.until = Timestamp(number()?),
            path if !path.starts_with('-') => folder = Some(PathBuf::from(path)),
            _ => return Err(USAGE.into()),
        }
    }
    let passphrase = env::var("SOTTO_PASSPHRASE").unwrap_or_else(|_| "correct horse battery staple".to_owned());
    make(&folder.ok_or(USAGE)?, &Unlock::Passphrase(Passphrase::new(passphrase)), &recipe)?;
    Ok(())
}

const USAGE: &str = "make_profile DIR [--messages N] [--conversations N] [--seed N] [--until UNIX_MILLIS]";
