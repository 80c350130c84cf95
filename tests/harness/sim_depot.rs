//! Archives of releases on a host made of memory: what each holds follows from its digest.
//!
//! **Invariant:** what was fetched survives a power cut, or does not: nothing relies on it.

use bowline_engine::phase::{Event, Means};
use bowline_model::digest::Sha256;
use bowline_model::release::{Archive, Body, Listing, Member};

use crate::sim_host::{SimHost, failed};

/// What an archive holds: a folder with a program that differs from release to release, a text that does
/// not, and a link.
pub fn listing(archive: &Archive) -> Listing {
    let member = |path: &str, body| Member { path: path.parse().unwrap(), body };
    let file = |sha256, mode| Body::File { sha256, size: 7, mode };
    Listing {
        members: vec![
            member("bin", Body::Folder { mode: 0o755 }),
            member("bin/shop", file(archive.sha256, 0o755)),
            member("bin/start", Body::Link { target: "shop".to_owned() }),
            member("readme", file(Sha256::of(b"readme"), 0o644)),
        ],
    }
}

impl SimHost {
    pub(crate) fn obtain(&mut self, archive: &Archive, means: Means) -> Event {
        let is_here = self.disk.archives.contains(archive);
        let asks = !is_here && means == Means::Remote;
        if asks {
            self.asked.push(self.endings.len());
        }
        let has_answer = is_here || (asks && self.has_depot);
        if !has_answer {
            return failed("the server of releases does not answer");
        }
        self.disk.archives.insert(archive.clone());
        Event::Obtained(Box::new(listing(archive)))
    }
}
