//! Takes up settings, trust file and certificates that were changed while the agent runs.
//!
//! **Invariant:** they change between two cycles, never within one.

use std::sync::Arc;

use bowline_host::failure::chain;
use bowline_host::service::ServiceManager;

use super::Host;
use crate::gear;
use crate::reload::{self, Fresh};

impl Host {
    /// Looks whether a file was changed, or reads all because somebody asks for it.
    pub(super) fn refresh(&mut self, asked: bool) {
        let now = self.watched.again();
        if now == self.watched && !asked {
            return;
        }
        self.watched = now;
        match reload::read(&self.settings) {
            Ok(fresh) => self.take_up(fresh),
            Err(stale) => {
                let detail = chain(&stale);
                tracing::warn!(detail, "settings are not taken up");
                self.board.note(vec![detail]);
                if let Some(watched) = stale.watched() {
                    self.watched = watched;
                }
            }
        }
    }

    fn take_up(&mut self, fresh: Fresh) {
        let notes = fresh.notes();
        for note in &notes {
            tracing::warn!(detail = note, "a setting is not taken up");
        }
        self.board.note(notes);
        self.services = ServiceManager::named(&fresh.settings.service_manager);
        if let Some(gear) = &mut self.gear {
            let fingerprint = gear.known.fingerprint.clone();
            let known = gear::known(&fresh.settings, &self.root, &fresh.trust, fingerprint);
            gear.known = Arc::new(known);
            // Certificates that were replaced are read anew as well.
            if let Ok(remotes) = fresh.remotes {
                gear.remotes = remotes;
            }
        }
        self.settings = fresh.settings;
        self.watched = fresh.watched;
        tracing::info!("settings are taken up");
    }
}
