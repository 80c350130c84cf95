//! Judges probes over time: not yet, healthy, or failed.
//!
//! A probe is *ready* after `successThreshold` passes in a row; it must be so before its deadline.
//! Once ready it must stay so for its soak: `failureThreshold` failures in a row end the trial.
//!
//! **Invariant:** only the boot clock counts; every trial ends by deadline plus soak at the latest,
//! but for the moments that the last look of each may take.

use std::collections::BTreeMap;
use std::time::Duration;

use bowline_model::manifest::ProbeSpec;
use bowline_model::probe_call::Answer;

/// What a look may take that begins when its time is up.
const LAST_LOOK: Duration = Duration::from_secs(1);

/// Probes of one deployment, being judged.
#[derive(Debug, Clone)]
pub struct Trial {
    began: Duration,
    courses: BTreeMap<String, Course>,
}

#[derive(Debug, Clone)]
struct Course {
    spec: ProbeSpec,
    next: Duration,
    passes: u32,
    failures: u32,
    ready_at: Option<Duration>,
    last: Option<Answer>,
}

/// What the trial says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Says {
    /// Run these probes, not before this time since boot.
    Probe {
        /// When.
        not_before: Duration,
        /// Which.
        names: Vec<String>,
    },
    /// All are ready and have stayed so.
    Healthy,
    /// One failed.
    Failed {
        /// Which, and why.
        detail: String,
    },
}

impl Trial {
    /// Begins a trial.
    pub fn begin(probes: impl IntoIterator<Item = (String, ProbeSpec)>, now: Duration) -> Self {
        let course = |(name, spec)| {
            let fresh =
                Course { spec, next: now, passes: 0, failures: 0, ready_at: None, last: None };
            (name, fresh)
        };
        Self { began: now, courses: probes.into_iter().map(course).collect() }
    }

    /// Sets the clock at the first answer: deadlines count from there.
    pub fn start_at(&mut self, now: Duration) {
        if self.began == Duration::ZERO {
            self.began = now;
        }
    }

    /// Takes answers that were seen at `now`; gives those that changed a probe's mind.
    pub fn take(&mut self, answers: Vec<Answer>, now: Duration) -> Vec<Answer> {
        let mut changed = Vec::new();
        for answer in answers {
            let Some(course) = self.courses.get_mut(&answer.name) else {
                continue;
            };
            if course.last.as_ref().is_none_or(|last| last.passed != answer.passed) {
                changed.push(answer.clone());
            }
            if answer.passed {
                course.passes += 1;
                course.failures = 0;
            } else {
                course.failures += 1;
                course.passes = 0;
            }
            if course.ready_at.is_none() && course.passes >= course.spec.success_threshold.get() {
                course.ready_at = Some(now);
            }
            course.next = now + course.spec.interval.as_duration();
            course.last = Some(answer);
        }
        changed
    }

    /// What the trial says at `now`.
    pub fn judge(&self, now: Duration) -> Says {
        let fails = self.courses.iter().find_map(|(name, course)| {
            let seen =
                course.last.as_ref().map_or("it was never asked", |last| last.detail.as_str());
            match course.ready_at {
                Some(_) if course.failures >= course.spec.failure_threshold.get() => Some(format!(
                    "Probe/{name} failed {} times in its soak: {seen}",
                    course.failures
                )),
                None if now >= self.began + course.spec.deadline.as_duration() => Some(format!(
                    "Probe/{name} was not ready within {}{}: {seen}",
                    course.spec.deadline,
                    course.so_far()
                )),
                _ => None,
            }
        });
        if let Some(detail) = fails {
            return Says::Failed { detail };
        }
        let waiting = || self.courses.iter().filter(|(_, course)| !course.has_soaked(now));
        let Some(next) = waiting().map(|(_, course)| self.due(course)).min() else {
            return Says::Healthy;
        };
        // Those due within the same moment are run together.
        let names = waiting().filter(|(_, it)| self.due(it) <= next.max(now));
        Says::Probe { not_before: next, names: names.map(|(name, _)| name.clone()).collect() }
    }

    /// The last answer of each probe.
    pub fn answers(&self) -> Vec<Answer> {
        self.courses.values().filter_map(|course| course.last.clone()).collect()
    }

    /// The specification of a probe.
    pub fn spec(&self, name: &str) -> Option<&ProbeSpec> {
        self.courses.get(name).map(|course| &course.spec)
    }

    /// How long a look that begins at `from` may take: its own limit, but hardly longer than the trial.
    pub fn patience(&self, name: &str, from: Duration) -> Duration {
        let Some(course) = self.courses.get(name) else { return LAST_LOOK };
        let left = self.end(course).saturating_sub(from.max(self.began));
        course.spec.timeout.as_duration().min(left.max(LAST_LOOK))
    }

    fn end(&self, course: &Course) -> Duration {
        match course.ready_at {
            None => self.began + course.spec.deadline.as_duration(),
            Some(ready) => ready + course.spec.soak.as_duration(),
        }
    }

    /// When a probe is asked next: at its interval, but not after its time is up.
    fn due(&self, course: &Course) -> Duration {
        let end = self.end(course);
        let asked = course.next.saturating_sub(course.spec.interval.as_duration());
        // One last look at the end of its time; after that, its interval again.
        if asked < end { course.next.min(end) } else { course.next }
    }
}

impl Course {
    /// A probe that passes at last, but not often enough, needs another word than what it saw.
    fn so_far(&self) -> String {
        match self.passes {
            0 => String::new(),
            some => format!(", {some} of {} passes in a row", self.spec.success_threshold),
        }
    }

    fn has_soaked(&self, now: Duration) -> bool {
        self.failures == 0
            && self.ready_at.is_some_and(|ready| now >= ready + self.spec.soak.as_duration())
    }
}
