//! What is said over a connection that is not served.
//!
//! **Invariant:** it takes a moment at most, whatever the client does.

use std::time::Duration;

use bowline_api::problem::MEDIA_TYPE;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::answer::Refusal;

/// How long a client is heard out.
const TIME: Duration = Duration::from_secs(2);

/// Refuses whatever is asked, and ends the connection.
pub(super) async fn refuse(stream: TcpStream, refusal: Refusal) {
    drop(timeout(TIME, say(stream, refusal)).await);
}

/// Ends a connection over which the last word was said.
pub(super) async fn leave(stream: impl AsyncRead + AsyncWrite + Unpin) {
    drop(timeout(TIME, hear_out(stream)).await);
}

async fn say(mut stream: TcpStream, refusal: Refusal) {
    let status = refusal.status();
    let again = refusal.again().and_then(|it| it.to_str().map(str::to_owned).ok());
    let again = again.map(|it| format!("retry-after: {it}\r\n")).unwrap_or_default();
    let body = serde_json::to_string(&refusal.problem()).unwrap_or_default();
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {MEDIA_TYPE}\r\n{again}connection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    if stream.write_all(answer.as_bytes()).await.is_ok() {
        hear_out(stream).await;
    }
}

/// What the client sends meanwhile is read and thrown away: a connection that is closed on unread bytes loses
/// what was said.
async fn hear_out(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let mut thrown = [0; 4096];
    while matches!(stream.read(&mut thrown).await, Ok(read) if read > 0) {}
}
