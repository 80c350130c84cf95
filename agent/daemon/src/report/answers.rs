//! What each answer of the control service means for what is sent next.
//!
//! **Invariant:** every answer but an acknowledgement ends in a wait, or in fewer or earlier records.

use std::path::Path;
use std::sync::Arc;

use bowline_api::enrolment::KeyState;
use bowline_api::intake::Broken;
use bowline_api::status::Reporting;
use bowline_host::control::{Claimed, ControlFailure, Link};
use bowline_host::failure::{Kind, chain};
use bowline_host::http::HttpFailure;
use bowline_host::record::{Most, RecordFailure};
use bowline_host::secret_file::{self, BadSecret};

use super::post::Letters;
use super::{FIRST_MOST, MOST, Next, Reporter};
use crate::driver::Halt;

/// A token is a line.
const TOKEN_BYTES_MAX: u64 = 4 << 10;

impl Reporter {
    /// Makes the key known by the token, if there is one; by the host's merged manifest, if the service said
    /// that it does not know the key. `None`: records may be sent.
    pub(super) async fn enrol(&mut self, letters: &Letters) -> Option<Next> {
        let read = |path: &Path| secret_file::read(path, TOKEN_BYTES_MAX);
        let token = match self.control.token_file.as_deref().map(read) {
            Some(Ok(bytes)) => String::from_utf8_lossy(&bytes).trim().to_owned(),
            Some(Err(error)) if !matches!(error, BadSecret::Missing { .. }) => {
                let why = format!("the token cannot be used: {}", chain(&error));
                self.standing.tell(Reporting::Unenrolled, Some(why));
                return Some(Next::Later(None));
            }
            // It may have been removed after it was used: sending shows.
            Some(Err(_)) | None if !self.is_strange => return None,
            Some(Err(_)) | None => String::new(),
        };
        self.is_strange = false;
        match self.link.enrol(&letters.key, &self.host, &token).await {
            Ok(Claimed::Stands(KeyState::Enrolled)) => {
                tracing::info!(host = self.host, "the control service knows this host's key");
                self.is_known = true;
                None
            }
            Ok(Claimed::Stands(state)) => {
                let key = letters.key.fingerprint();
                let why = format!(
                    "another key has the name {}: compare {key}, then decide with `bowline-control host \
                     approve` or `refuse`",
                    self.host
                );
                Some(self.stands(state, why))
            }
            // What sending says is of more use to a person.
            Ok(Claimed::Denied(_)) if token.is_empty() => None,
            Ok(Claimed::Denied(why)) => {
                self.standing.tell(Reporting::Unenrolled, Some(why));
                Some(Next::Later(None))
            }
            Err(failure) => Some(self.failed(&failure)),
        }
    }

    pub(super) fn acknowledged(&mut self, acked: u64, first: u64, letters: &Letters) -> Next {
        if acked > letters.kept {
            let why = format!(
                "it has this host's records up to {acked}, and the host has {} only: its state was put \
                 back, or two machines have one key",
                letters.kept
            );
            self.standing.tell(Reporting::Forked, Some(why));
            return Next::Slow;
        }
        if acked < first {
            let why = format!("record {first} was sent, and it acknowledges {acked}");
            self.standing.tell(Reporting::Unreachable, Some(why));
            return Next::Later(None);
        }
        self.is_known = true;
        self.most = more_than(self.most);
        // What was acknowledged before it was wanted again is no progress.
        if self.turned.is_none_or(|it| acked > it) {
            self.turned = None;
            self.pace.reset();
        }
        self.go_on_behind(acked);
        self.standing.tell(Reporting::Reporting, None);
        self.standing.count(acked, letters.kept, &self.outbox);
        Next::Again
    }

    fn go_on_behind(&mut self, acked: u64) {
        self.acked = acked;
        self.spool.acknowledge(acked);
        if let Err(error) = self.file.keep(&self.standing.told().url, acked) {
            tracing::warn!(error = %chain(&error), "how far records were sent is not kept");
        }
    }

    /// The service and the host do not agree on what came before.
    pub(super) fn broken(&mut self, broken: &Broken, first: u64, letters: &Letters) -> Next {
        self.is_known = true;
        if broken.code != "gap" {
            let mine = self.outbox.digest(broken.acked).ok().flatten();
            let mine = mine.map_or_else(|| "none any more".to_owned(), |it| it.to_string());
            let why = format!(
                "record {} is another there than here: it has {} up to record {}, here that is {mine}; {}",
                broken.seq, broken.expected_prev, broken.acked, broken.problem.detail
            );
            self.standing.tell(Reporting::Forked, Some(why));
            return Next::Slow;
        }
        let behind = broken.expected.saturating_sub(1);
        let one = Most { lines: 1, bytes: 1 };
        let oldest = self.outbox.after(behind, letters.kept, one).ok().flatten();
        let oldest = oldest.map(|it| it.first);
        if oldest.is_some_and(|it| it < first) {
            return self.go_back(behind);
        }
        let why = format!(
            "it wants record {} next, and the host has none before {}; a person must look",
            broken.expected,
            oldest.unwrap_or(first)
        );
        self.standing.tell(Reporting::Missing, Some(why));
        Next::Slow
    }

    /// Sends again what is left here of what the service wants: a backup was restored there, or it is a new one.
    /// Where some of it is gone, the gap that it keeps then ends at the oldest record here, and no later.
    fn go_back(&mut self, behind: u64) -> Next {
        let before = self.acked;
        self.go_on_behind(behind);
        if self.turned.is_some_and(|it| before <= it) {
            let why = format!(
                "it acknowledged records up to {before} and wants those behind {behind} again, more than once"
            );
            self.standing.tell(Reporting::Unreachable, Some(why));
            return Next::Later(None);
        }
        tracing::warn!(behind, "the control service lacks records; what is here is sent again");
        self.turned = Some(before);
        Next::Again
    }

    pub(super) fn unknown(&mut self, why: String) -> Next {
        self.is_strange = true;
        if self.is_known && self.control.token_file.is_some() {
            // It was known, or was thought to be: a token may make it known.
            self.is_known = false;
            return Next::Later(None);
        }
        self.is_known = false;
        let file = self.control.token_file.as_deref();
        let why = match file.map(|it| secret_file::read(it, TOKEN_BYTES_MAX)) {
            Some(Err(missing @ BadSecret::Missing { .. })) => format!("{why}; {missing}"),
            _ => why,
        };
        self.standing.tell(Reporting::Unenrolled, Some(why));
        Next::Later(None)
    }

    pub(super) fn stands(&mut self, state: KeyState, why: String) -> Next {
        self.is_known = false;
        match state {
            KeyState::Pending => {
                self.standing.tell(Reporting::Pending, Some(why));
                Next::Later(None)
            }
            KeyState::Refused | KeyState::Retired | KeyState::Enrolled => {
                self.standing.tell(Reporting::Refused, Some(why));
                Next::Slow
            }
        }
    }

    pub(super) fn failed(&mut self, failure: &ControlFailure) -> Next {
        let is_unheard = |it: &HttpFailure| {
            matches!(
                it,
                HttpFailure::Tls { .. } | HttpFailure::Trust { .. } | HttpFailure::Broken { .. }
            )
        };
        if let ControlFailure::Http(failure) = failure
            && is_unheard(failure)
        {
            // Certificates may be renewed meanwhile: the next try reads them again. A service that does
            // not want the host's own ends the connection after the handshake.
            self.link = Link::new(&self.control, Arc::clone(&self.stop));
        }
        self.standing.tell(Reporting::Unreachable, Some(chain(failure)));
        Next::Later(failure.retry_after())
    }

    pub(super) fn unreadable(&mut self, error: &RecordFailure) -> Result<Next, Halt> {
        if error.kind() == Kind::Fatal {
            return Err(Halt::Fatal(chain(error)));
        }
        let why = format!("the records cannot be read here: {}", chain(error));
        self.standing.tell(Reporting::Unreachable, Some(why));
        Ok(Next::Later(None))
    }
}

/// How much is sent after that much was taken: of what was cut down twice as much, where a service that has room
/// for some would else refuse each time before.
fn more_than(taken: Most) -> Most {
    if taken == FIRST_MOST {
        return MOST;
    }
    Most { lines: taken.lines.saturating_mul(2).min(MOST.lines), ..MOST }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_cut_down_grows_again_up_to_the_most() {
        assert_eq!(more_than(FIRST_MOST), MOST);
        let mut most = Most { lines: 1, ..MOST };
        let mut lines = Vec::new();
        while most != MOST {
            most = more_than(most);
            lines.push(most.lines);
        }
        assert_eq!(lines, [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096]);
        assert_eq!(more_than(MOST), MOST);
    }
}
