//! The asking end: what `status`, `block` and `drain` do.

use std::{io, path::Path};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
};

use super::{ANSWER_BYTES_MAX, AdminError, Answer, Question, Request, VERSION, socket};

/// Asks the relay that runs from this folder.
///
/// # Errors
/// [`AdminError`]; for all but a lost answer, nothing was changed.
pub(crate) async fn ask(data: &Path, request: Request) -> Result<Answer, AdminError> {
    exchange(data, request).await.map(|(answer, _)| answer)
}

/// Asks, and waits until the relay's process has ended.
///
/// # Errors
/// As [`ask`].
pub(crate) async fn ask_and_wait(data: &Path, request: Request) -> Result<Answer, AdminError> {
    let (answer, mut stream) = exchange(data, request).await?;
    // The relay keeps this connection and says nothing more on it: its end is the process's.
    let _ = stream.read_to_end(&mut vec![]).await;
    Ok(answer)
}

async fn exchange(data: &Path, request: Request) -> Result<(Answer, BufReader<UnixStream>), AdminError> {
    let stream = UnixStream::connect(socket(data)).await.map_err(|error| refused(data, error))?;
    let mut stream = BufReader::new(stream);
    let mut line = serde_json::to_vec(&Question { version: VERSION, request }).map_err(io::Error::from)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    let mut answer = vec![];
    (&mut stream).take(ANSWER_BYTES_MAX).read_until(b'\n', &mut answer).await?;
    if answer.is_empty() {
        // Whoever may not ask is not answered.
        return Err(AdminError::NotAllowed);
    }
    match serde_json::from_slice(&answer) {
        Ok(Answer::Refused { reason }) => Err(AdminError::Refused(reason)),
        Ok(answer) => Ok((answer, stream)),
        Err(_) => Err(AdminError::Misunderstood),
    }
}

fn refused(data: &Path, error: io::Error) -> AdminError {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => AdminError::Silent(data.to_owned()),
        io::ErrorKind::PermissionDenied => AdminError::NotAllowed,
        _ => AdminError::System(error),
    }
}
