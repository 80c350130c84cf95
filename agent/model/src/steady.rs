//! Since when what a host committed stands in good health, and for how long that was recorded.
//!
//! **Invariant:** time is counted by the boot clock of one boot: it says nothing of another.
//! **Invariant:** it is of one generation and of one last deployment: whatever changed the host since, also what was
//! taken back, makes it another.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::duration::Span;

/// A time in good health. Fields that another version knows are let be: losing it only begins the time anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Steady {
    /// The generation that stands.
    pub generation: u64,
    /// The last deployment that was settled when it began.
    pub settled: Option<String>,
    /// The boot whose clock counts.
    pub boot: String,
    /// When it began: milliseconds of that clock.
    pub since_ms: u64,
    /// When it began, in seconds since 1970: for people only.
    pub at: i64,
    /// Times that were recorded, each once.
    #[serde(default)]
    pub told: Vec<Span>,
}

impl Steady {
    /// Whether it is of the same generation, deployment and boot.
    pub fn is_of(&self, generation: u64, settled: Option<&str>, boot: &str) -> bool {
        (self.generation, self.settled.as_deref(), self.boot.as_str())
            == (generation, settled, boot)
    }

    /// Those of these times that have passed at `now` of the same boot and were not recorded.
    pub fn due(&self, asked: &[Span], now: Duration) -> Vec<Span> {
        let stood = now.saturating_sub(Duration::from_millis(self.since_ms));
        let is_due = |it: &&Span| it.as_duration() <= stood && !self.told.contains(it);
        asked.iter().filter(is_due).copied().collect()
    }

    /// The same, begun anew.
    #[must_use]
    pub fn anew(self, now: Duration, wall: i64) -> Self {
        let since_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        Self { since_ms, at: wall, told: Vec::new(), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steady() -> Steady {
        Steady {
            generation: 3,
            settled: Some("d000003".to_owned()),
            boot: "one".to_owned(),
            since_ms: 10_000,
            at: 0,
            told: vec![Span::from_secs(60)],
        }
    }

    #[test]
    fn a_time_is_due_once_when_it_has_passed() {
        let asked = [Span::from_secs(60), Span::from_secs(3_600)];
        let due = |now| steady().due(&asked, Duration::from_secs(now));
        assert!(due(3_609).is_empty());
        assert_eq!(due(3_610), [Span::from_secs(3_600)]);
        assert!(due(0).is_empty(), "a clock that went back");
        let anew = steady().anew(Duration::from_secs(20), 7);
        assert!(anew.due(&asked, Duration::from_secs(79)).is_empty());
        assert_eq!(anew.due(&asked, Duration::from_secs(80)), [Span::from_secs(60)]);
    }

    #[test]
    fn another_generation_deployment_or_boot_is_another_time() {
        assert!(steady().is_of(3, Some("d000003"), "one"));
        assert!(!steady().is_of(4, Some("d000003"), "one"));
        assert!(!steady().is_of(3, Some("d000004"), "one"));
        assert!(!steady().is_of(3, None, "one"));
        assert!(!steady().is_of(3, Some("d000003"), "two"));
    }

    #[test]
    fn what_another_version_wrote_is_read() {
        let text = r#"{"generation":1,"settled":null,"boot":"b","sinceMs":5,"at":0,"more":[1]}"#;
        let found: Steady = serde_json::from_str(text).unwrap();
        assert_eq!((found.since_ms, found.told.len()), (5, 0));
    }
}
