//! Follows what an order leads to: listens first, asks then, and reads until the cycle's end.
//!
//! **Invariant:** nothing that happens after the order is missed, because listening begins before it.
//! **Invariant:** what an agent sends is limited in size, and waiting in time.

use std::io;
use std::time::Duration;

use bowline_api::ask::{Asked, Over, event};
use bowline_api::route;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::timeout;

use super::client::{Answer, NoAnswer, Place, Request, runtime, send};
use crate::failure::Failure;

/// One event: a cycle of ten thousand steps is smaller.
const EVENT_BYTES_MAX: usize = 8 << 20;

/// An answer to an order.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// What came of it.
#[derive(Debug)]
pub(super) enum Followed {
    /// The cycle that answers the order ended.
    Over(Box<Over>),
    /// The order was not taken.
    Refused(Answer),
    /// The time was over before the cycle was.
    TooLate,
    /// The agent told nothing more.
    Lost,
}

/// Asks, tells of phases, and waits for the end of the cycle that answers.
pub(super) fn follow(
    place: &Place,
    order: &Request,
    patience: Duration,
    phase: &mut dyn FnMut(&str) -> Result<(), Failure>,
) -> Result<Followed, NoAnswer> {
    runtime(place)?.block_on(async {
        let mut ear = Ear::open(place).await?;
        let mut seen = false;
        let work = async {
            let answer = call(place, order).await?;
            let number = serde_json::from_slice::<Asked>(&answer.body).map(|it| it.cycle);
            let Ok(number) = number else { return Ok(Followed::Refused(answer)) };
            while let Some((kind, data)) = ear.next().await? {
                match kind.as_str() {
                    event::PHASE => {
                        let told: serde_json::Value =
                            serde_json::from_str(&data).unwrap_or_default();
                        // The first only says where the agent stands.
                        if let (Some(word), true) =
                            (told.get("phase").and_then(serde_json::Value::as_str), seen)
                        {
                            // Nobody who reads phases is no reason to stop waiting.
                            drop(phase(word));
                        }
                        seen = true;
                    }
                    event::OUTCOME => match serde_json::from_str::<Over>(&data) {
                        Ok(over) if over.number >= number => {
                            return Ok(Followed::Over(Box::new(over)));
                        }
                        _ => {}
                    },
                    _ => {}
                }
            }
            Ok(Followed::Lost)
        };
        timeout(patience, work).await.unwrap_or(Ok(Followed::TooLate))
    })
}

async fn call(place: &Place, order: &Request) -> Result<Answer, NoAnswer> {
    let response = send(place, order).await?;
    let status = response.status().as_u16();
    let limited = http_body_util::Limited::new(response.into_body(), ANSWER_BYTES_MAX);
    let body = limited.collect().await.map_err(|source| broken(place, source))?;
    Ok(Answer { status, body: body.to_bytes() })
}

fn broken(place: &Place, source: Box<dyn std::error::Error + Send + Sync>) -> NoAnswer {
    NoAnswer::Broken { at: place.shown(), source }
}

/// Reads events.
struct Ear<'p> {
    place: &'p Place,
    body: Incoming,
    kept: Vec<u8>,
}

impl<'p> Ear<'p> {
    async fn open(place: &'p Place) -> Result<Self, NoAnswer> {
        let request = Request::get(route::EVENTS);
        let patience = request.patience;
        let late = |_| NoAnswer::TimedOut { at: place.shown(), patience };
        let response = timeout(patience, send(place, &request)).await.map_err(late)??;
        if !response.status().is_success() {
            let what = format!("it does not tell of events (status {})", response.status());
            return Err(broken(place, what.into()));
        }
        Ok(Self { place, body: response.into_body(), kept: Vec::new() })
    }

    /// The next event, by its kind and what it says; `None` at the end.
    async fn next(&mut self) -> Result<Option<(String, String)>, NoAnswer> {
        loop {
            if let Some(end) = self.kept.windows(2).position(|it| it == b"\n\n") {
                let block: Vec<u8> = self.kept.drain(..end + 2).collect();
                match parsed(&String::from_utf8_lossy(&block)) {
                    Some(event) => return Ok(Some(event)),
                    None => continue,
                }
            }
            if self.kept.len() > EVENT_BYTES_MAX {
                let what = io::Error::other("an event is larger than anything an agent says");
                return Err(broken(self.place, what.into()));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => self.kept.extend(frame.into_data().unwrap_or_default()),
                Some(Err(error)) => return Err(broken(self.place, error.into())),
                None => return Ok(None),
            }
        }
    }
}

/// An event's kind and data; none for a sign of life.
fn parsed(block: &str) -> Option<(String, String)> {
    let field = |name: &str| {
        let lines = block.lines().filter_map(move |it| it.strip_prefix(name)?.strip_prefix(": "));
        lines.map(str::to_owned).reduce(|one, two| format!("{one}\n{two}"))
    };
    Some((field("event")?, field("data")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_a_kind_and_data_and_a_sign_of_life_has_neither() {
        let event = parsed("event: phase\ndata: {\"phase\":\"fetch\"}\n\n");
        assert_eq!(event, Some(("phase".to_owned(), "{\"phase\":\"fetch\"}".to_owned())));
        assert_eq!(parsed(": alive\n\n"), None);
        assert_eq!(parsed("data: x\n\n"), None);
    }
}
