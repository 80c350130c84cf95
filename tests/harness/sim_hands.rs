//! The simulated host as the loop sees it: faults strike here.
//!
//! **Invariant:** records and effects are counted alike, so that a fault's number names its place.

use bowline_agent::driver::{Halt, Hands};
use bowline_engine::phase::{Effect, Event, Turn};
use bowline_model::mark::Mark;

use crate::sim_host::{Fault, SimHost, failed};

impl Hands for SimHost {
    fn record(&mut self, marks: &[Mark]) -> Result<(), Halt> {
        self.effects += 1;
        self.log.push(format!("{} record {}", self.effects, marks.len()));
        let fault = self.faults.iter().find(|(at, _)| *at == self.effects).map(|(_, it)| *it);
        match fault {
            None => self.disk.journal.extend(marks.iter().cloned()),
            // A journal that cannot be written ends the process.
            Some(Fault::Fails | Fault::DarkBefore) => return self.lights_out(),
            Some(Fault::DarkAmid(mask)) => {
                let whole = mask.trailing_ones() as usize;
                self.disk.journal.extend(marks.iter().take(whole).cloned());
                return self.lights_out();
            }
            Some(Fault::DarkAfter) => {
                self.disk.journal.extend(marks.iter().cloned());
                return self.lights_out();
            }
        }
        Ok(())
    }

    fn perform(&mut self, effect: Effect) -> Result<Event, Halt> {
        if let Effect::Rest { ending, ear, .. } = effect {
            return self.rest(ending, ear);
        }
        self.effects += 1;
        self.log.push(format!("{} {}", self.effects, name(&effect)));
        crate::invariants::no_outside_on_the_way_back(self, &effect);
        let fault = self.faults.iter().find(|(at, _)| *at == self.effects).map(|(_, it)| *it);
        match fault {
            None => self.happen(effect, |_| true),
            Some(Fault::Fails) => Ok(failed("injected")),
            Some(Fault::DarkBefore) => self.lights_out(),
            Some(Fault::DarkAmid(mask)) => {
                drop(self.happen(effect, |at| mask >> (at % 32) & 1 == 1));
                self.lights_out()
            }
            Some(Fault::DarkAfter) => {
                drop(self.happen(effect, |_| true));
                self.lights_out()
            }
        }
    }

    fn watch(&mut self, turn: &Turn) {
        self.untried.clone_from(&turn.state.memory.untried);
        crate::invariants::nothing_is_lost(self, turn);
    }
}

impl SimHost {
    fn lights_out<T>(&mut self) -> Result<T, Halt> {
        self.dark = true;
        if self.reboots {
            self.disk.boot();
        }
        Err(Halt::Stop)
    }
}

fn name(effect: &Effect) -> String {
    let text = format!("{effect:?}");
    text.split([' ', '(', '{']).next().unwrap_or_default().to_owned()
}
