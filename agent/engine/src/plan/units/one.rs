//! What one unit is told, from how it stands to how it should stand.
//!
//! **Invariant:** whatever a step tells the unit, some step tells the opposite on the way back, when the
//! files of that moment are the right ones for it.

use bowline_model::step::Telling;
use bowline_model::unit::{Enablement, UnitState, UnitWish, Verb};

/// One unit.
#[derive(Debug, Clone, Copy)]
pub(super) struct One<'a> {
    /// Its full name.
    pub(super) unit: &'a str,
    /// How it stands.
    pub(super) seen: UnitState,
    /// How it should stand.
    pub(super) wish: UnitWish,
    /// Whether its own file changes.
    pub(super) is_new_text: bool,
    /// What it is told if it runs on.
    pub(super) act: Option<Verb>,
}

/// What it is told before all files, and after them.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) early: Vec<Telling>,
    pub(super) late: Vec<Telling>,
}

impl Told {
    /// Whether the unit is told to run, to end, or to run anew.
    pub(super) fn has_job(&self) -> bool {
        let all = self.early.iter().chain(&self.late);
        all.filter_map(|it| it.there).any(Verb::is_job)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.early.is_empty() && self.late.is_empty()
    }
}

impl One<'_> {
    /// Whether it runs.
    pub(super) fn is_up(&self) -> bool {
        self.seen.up == Some(true)
    }

    fn is(&self, enablement: Enablement) -> bool {
        self.seen.enabled == Some(enablement)
    }

    /// Whether it should be enabled and cannot be, with the files that it will have.
    pub(super) fn cannot_be_enabled(&self) -> bool {
        let fixed = self.is(Enablement::Fixed);
        fixed && self.wish.enabled == Some(true) && !self.is_new_text
    }

    /// Whether it should run and cannot, because it stays masked.
    pub(super) fn stays_masked(&self) -> bool {
        let masked = self.is(Enablement::Masked) && self.wish.masked != Some(false);
        masked && !self.is_new_text && self.wish.up == Some(true) && !self.is_up()
    }

    /// Everything it is told.
    pub(super) fn told(&self) -> Told {
        let mut told = Told::default();
        let UnitWish { enabled, masked, up } = self.wish;
        if self.is(Enablement::Masked) && masked == Some(false) && !self.is_new_text {
            told.early.push(self.about_boot(Verb::Unmask, &[Verb::Mask]));
        }
        let stops = self.is_up() && up == Some(false);
        if stops {
            told.early.push(self.about_now(Some(Verb::Stop), &[Verb::Start]));
        }
        let act = self.act.filter(|_| self.is_up() && !stops);
        // What is enabled is written in its text, so that a new one is enabled anew.
        let anew = self.is(Enablement::Enabled) && enabled == Some(true) && self.is_new_text;
        if anew || (self.is(Enablement::Enabled) && enabled == Some(false)) {
            told.early.push(self.about_boot(Verb::Disable, &[Verb::Enable]));
        }
        if masked == Some(true) && !self.is(Enablement::Masked) {
            told.late.push(self.about_boot(Verb::Mask, &[Verb::Unmask]));
        }
        if anew || self.enables() {
            // Whether a masked unit is enabled as well nobody can tell, so that is not taken back.
            let back = if self.is(Enablement::Masked) { &[][..] } else { &[Verb::Disable] };
            told.late.push(self.about_boot(Verb::Enable, back));
        }
        if up == Some(true) && !self.is_up() {
            told.late.push(self.about_now(Some(Verb::Start), &[Verb::Stop]));
        } else if let Some(act) = act {
            told.late.push(self.about_now(Some(act), &[]));
        }
        if self.is_up() && !stops && !told.is_empty() {
            told.early.insert(0, self.hold(act));
        }
        told
    }

    /// A unit that runs on is told of the way back too, and runs after it whatever a reboot made of one
    /// that was not enabled for a moment.
    fn hold(&self, act: Option<Verb>) -> Telling {
        match act {
            // What a reboot ended cannot be reloaded.
            Some(Verb::Reload) => self.about_now(None, &[Verb::Start, Verb::Reload]),
            Some(act) => self.about_now(None, &[act]),
            None => self.about_now(None, &[Verb::Start]),
        }
    }

    fn enables(&self) -> bool {
        let able = match self.seen.enabled {
            // A missing one may come from a command of this plan.
            Some(Enablement::Disabled | Enablement::Missing) => true,
            Some(Enablement::Masked) => self.is_new_text || self.wish.masked == Some(false),
            Some(Enablement::Fixed) => self.is_new_text,
            Some(Enablement::Enabled) | None => false,
        };
        able && self.wish.enabled == Some(true)
    }

    fn about_boot(&self, there: Verb, back: &[Verb]) -> Telling {
        let mut telling = self.telling(Some(there), back, self.seen);
        // A reboot may start what is to be started at boot, before it is told itself.
        let may_start = matches!(there, Verb::Enable | Verb::Unmask);
        if may_start && self.seen.up == Some(false) && self.wish.up.is_some() {
            telling.back.insert(0, Verb::Stop);
        } else {
            telling.pre.up = None;
        }
        telling
    }

    fn about_now(&self, there: Option<Verb>, back: &[Verb]) -> Telling {
        // Whether a unit runs is nobody's promise where something else decides.
        let pre = UnitState { enabled: None, up: self.seen.up.filter(|_| self.wish.up.is_some()) };
        self.telling(there, back, pre)
    }

    fn telling(&self, there: Option<Verb>, back: &[Verb], pre: UnitState) -> Telling {
        Telling { unit: Some(self.unit.to_owned()), there, back: back.to_vec(), pre }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UP: UnitState = UnitState { enabled: Some(Enablement::Enabled), up: Some(true) };
    const DOWN: UnitState = UnitState { enabled: Some(Enablement::Disabled), up: Some(false) };

    fn masked(up: bool) -> UnitState {
        UnitState { enabled: Some(Enablement::Masked), up: Some(up) }
    }

    fn wish(enabled: Option<bool>, masked: Option<bool>, up: Option<bool>) -> UnitWish {
        UnitWish { enabled, masked, up }
    }

    /// `there<back,back`, before the files `|` and after them.
    fn shown(one: &One<'_>) -> String {
        let step = |it: &Telling| {
            let back: Vec<&str> = it.back.iter().map(|it| it.word()).collect();
            format!("{}<{}", it.there.map_or("", Verb::word), back.join(","))
        };
        let told = one.told();
        let all = |it: &[Telling]| it.iter().map(step).collect::<Vec<_>>().join(" ");
        format!("{}|{}", all(&told.early), all(&told.late))
    }

    #[test]
    fn what_is_told_there_is_told_back_where_the_right_files_stand() {
        let runs = wish(Some(true), None, Some(true));
        for (seen, wish, is_new_text, act, expected) in [
            (UP, runs, false, None, "|"),
            (UP, runs, false, Some(Verb::Reload), "<start,reload|reload<"),
            (UP, runs, false, Some(Verb::Restart), "<restart|restart<"),
            (
                UP,
                runs,
                true,
                Some(Verb::Restart),
                "<restart disable<enable|enable<disable restart<",
            ),
            (UP, runs, true, None, "<start disable<enable|enable<disable"),
            (DOWN, runs, true, Some(Verb::Restart), "|enable<stop,disable start<stop"),
            (DOWN, wish(None, None, Some(true)), false, None, "|start<stop"),
            (
                UP,
                wish(Some(false), None, Some(false)),
                false,
                Some(Verb::Restart),
                "stop<start disable<enable|",
            ),
            (UP, wish(Some(false), None, Some(true)), false, None, "<start disable<enable|"),
            // Something else decides whether it runs.
            (DOWN, wish(Some(true), None, None), true, None, "|enable<disable"),
            (UP, wish(None, Some(true), Some(false)), false, None, "stop<start|mask<unmask"),
            (
                masked(false),
                wish(None, Some(false), Some(true)),
                false,
                None,
                "unmask<stop,mask|start<stop",
            ),
            // A mask that a file takes the place of is brought back with what stood there.
            (masked(false), runs, true, None, "|enable<stop start<stop"),
        ] {
            let one = One { unit: "a.service", seen, wish, is_new_text, act };
            assert_eq!(shown(&one), expected, "{one:?}");
        }
    }

    #[test]
    fn what_cannot_be_is_known_before() {
        let fixed = UnitState { enabled: Some(Enablement::Fixed), up: Some(true) };
        let runs = wish(Some(true), None, Some(true));
        let one =
            |seen, wish, is_new_text| One { unit: "a.service", seen, wish, is_new_text, act: None };
        for (seen, wish, is_new_text, enabled, starts) in [
            (fixed, runs, false, false, true),
            (fixed, runs, true, true, true),
            (masked(false), runs, false, true, false),
            (masked(false), runs, true, true, true),
            (masked(true), runs, false, true, true),
            (masked(false), wish(None, Some(false), Some(true)), false, true, true),
        ] {
            let one = one(seen, wish, is_new_text);
            assert_eq!(
                (!one.cannot_be_enabled(), !one.stays_masked()),
                (enabled, starts),
                "{one:?}"
            );
        }
    }
}
