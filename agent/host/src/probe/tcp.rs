//! Opens a TCP connection and closes it again.
//!
//! **Invariant:** nothing is sent.

use tokio::net::TcpStream;

use super::Sighting;

pub(super) async fn look(address: &str) -> Sighting {
    match TcpStream::connect(address).await {
        Ok(_) => Ok(format!("connected to {address}")),
        Err(error) => Err(format!("cannot connect to {address}: {error}")),
    }
}
