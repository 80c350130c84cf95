//! Everything that plays: the people's repository, the host, its agent, its one service.
//!
//! **Invariant:** whatever runs ends before the folder goes in which it runs.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use bowline_api::record::Record;
use tests::fleet::Fleet;
use tests::{binaries, http};

use crate::agent::Agent;
use crate::host_state::{self, HostState};
use crate::place::{Afterwards, Place};
use crate::story::Story;
use crate::units::Units;

/// Everything that plays; fields are dropped in this order.
#[derive(Debug)]
pub(crate) struct World {
    /// The agent.
    pub(crate) agent: Agent,
    /// What stands for systemd.
    pub(crate) units: Units,
    /// The repository.
    pub(crate) fleet: Fleet,
    /// Where the shop listens.
    pub(crate) address: SocketAddr,
    /// The operator's program.
    pub(crate) bowline: PathBuf,
    /// What `bowline init` said.
    pub(crate) founded: String,
    /// The folder.
    pub(crate) place: Place,
}

impl World {
    /// Builds the programs and makes everything; the agent does not run yet.
    pub(crate) fn make(story: &Story, afterwards: Afterwards) -> Result<Self> {
        story.say("Building bowline and bowline-agent, unless they are built …");
        let (bowline, program) = (binaries::bowline(), binaries::agent());
        let place = Place::make(afterwards)?;
        let address = free_address()?;
        let (fleet, founded) = Fleet::found(&place.folder, &bowline)?;
        settle(&place).context("complete the agent's settings")?;
        Ok(Self {
            agent: Agent::new(program, &place),
            units: Units::serve(&place, address)?,
            fleet,
            address,
            bowline,
            founded,
            place,
        })
    }

    /// The host's state, as it is on disk.
    pub(crate) fn host_state(&self) -> Result<HostState> {
        host_state::look(&self.place.host)
    }

    /// The number of the newest record.
    pub(crate) fn newest_record(&self) -> Result<u64> {
        Ok(self.agent.history()?.first().map_or(0, |it| it.seq))
    }

    /// The first record after `since` that is about this commit.
    pub(crate) fn recorded(&self, since: u64, commit: &str) -> Result<Option<Record>> {
        let is_it = |it: &Record| {
            it.seq > since
                && it.revision.as_ref().is_some_and(|revision| revision.ends_with(commit))
        };
        Ok(self.agent.history()?.into_iter().rev().find(is_it))
    }

    /// The version that the shop answers with; it must be this one.
    pub(crate) fn expect_shop(&self, version: &str) -> Result<String> {
        let (status, body) = http::get_at(self.address, "/version")?;
        let body = String::from_utf8_lossy(&body).into_owned();
        if status != 200 || body != format!("{{\"version\":\"{version}\"}}") {
            bail!("the shop had to answer version {version}, and answers {status} {body}");
        }
        Ok(body)
    }

    /// A path as it is shown: relative to the demo's folder.
    pub(crate) fn shown(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.place.folder.display()), "")
    }
}

/// An address that nobody has at the moment.
fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").context("find a free port")?;
    listener.local_addr().context("find a free port")
}

/// Adds to the settings of `bowline init` what the demo needs: quick polls, and the one unit.
fn settle(place: &Place) -> Result<()> {
    let text = fs::read_to_string(&place.settings)?;
    let manager = serde_json::to_string(&place.manager.display().to_string())?;
    let additions = [
        ("[source]\n", "[source]\ninterval = \"1s\"\n".to_owned()),
        ("[host]\n", format!("[host]\nname = \"shop-1\"\nserviceManager = {manager}\n")),
    ];
    let mut settled = text;
    for (head, addition) in additions {
        if !settled.contains(head) {
            bail!("{} has no {}", place.settings.display(), head.trim());
        }
        settled = settled.replacen(head, &addition, 1);
    }
    fs::write(&place.settings, settled)?;
    Ok(())
}
