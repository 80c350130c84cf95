//! Everything that plays: the people's repository, three hosts and their agents, one service, the board.
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
use crate::board::Board;
use crate::host_state::{self, HostState};
use crate::place::{Afterwards, Place, Seat};
use crate::story::Story;
use crate::units::Units;

/// The host that the story is about.
pub(crate) const SHOP_HOST: &str = "shop-1";

/// Hosts that follow the same repository, and run no shop.
const NEIGHBOURS: [&str; 2] = ["mail-1", "db-1"];

/// Everything that plays; fields are dropped in this order.
#[derive(Debug)]
pub(crate) struct World {
    /// The agent of the host that the story is about.
    pub(crate) agent: Agent,
    /// The agents of the others.
    pub(crate) neighbours: Vec<Agent>,
    /// Where hosts' records go.
    pub(crate) board: Board,
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
    /// Builds the programs and makes everything; no agent runs yet.
    pub(crate) fn make(story: &Story, afterwards: Afterwards) -> Result<Self> {
        story.say("Building bowline, bowline-agent and bowline-control, unless they are built: minutes, the first time …");
        let (bowline, program, control) =
            (binaries::bowline(), binaries::agent(), binaries::control());
        let place = Place::make(afterwards)?;
        let address = free_address()?;
        let (fleet, founded) = Fleet::found(&place.folder, &bowline)?;
        let board = Board::serve(control, &place, free_address()?)?;
        let seat = place.first_seat(SHOP_HOST);
        complete(&seat, &place, &board).context("complete the agent's settings")?;
        let agent = Agent::new(&program, &place.folder, seat);
        let mut neighbours = Vec::new();
        for name in NEIGHBOURS {
            let seat = place.further_seat(name)?;
            settle(&seat, &place, &board)
                .with_context(|| format!("write the settings of {name}"))?;
            neighbours.push(Agent::new(&program, &place.folder, seat));
        }
        for it in neighbours.iter().chain([&agent]) {
            board.invite(it.seat.name, &it.seat.token)?;
        }
        let units = Units::serve(&place, address)?;
        Ok(Self { agent, neighbours, board, units, fleet, address, bowline, founded, place })
    }

    /// All hosts' agents.
    pub(crate) fn agents(&self) -> impl Iterator<Item = &Agent> {
        [&self.agent].into_iter().chain(&self.neighbours)
    }

    /// Fails when something that plays has ended by itself.
    pub(crate) fn check(&mut self) -> Result<()> {
        self.board.check()?;
        self.agent.check()?;
        self.neighbours.iter_mut().try_for_each(Agent::check)
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

/// Adds to the settings of `bowline init` what the demo needs: quick polls, the one unit, the board.
fn complete(seat: &Seat, place: &Place, board: &Board) -> Result<()> {
    let mut settled = fs::read_to_string(&seat.settings)?;
    let manager = serde_json::to_string(&place.manager.display().to_string())?;
    let name = seat.name;
    let additions = [
        ("[source]\n", "[source]\ninterval = \"1s\"\n".to_owned()),
        ("[host]\n", format!("[host]\nname = \"{name}\"\nserviceManager = {manager}\n")),
    ];
    for (head, addition) in additions {
        if !settled.contains(head) {
            bail!("{} has no {}", seat.settings.display(), head.trim());
        }
        settled = settled.replacen(head, &addition, 1);
    }
    settled += &reporting(seat, board);
    fs::write(&seat.settings, settled)?;
    Ok(())
}

/// Writes the settings of a host that follows the same repository.
fn settle(seat: &Seat, place: &Place, board: &Board) -> Result<()> {
    let fleet = serde_json::to_string(&place.fleet.display().to_string())?;
    let (name, reporting) = (seat.name, reporting(seat, board));
    let text = format!(
        "[source]\nurl = {fleet}\ninterval = \"1s\"\n\n\
         [host]\nname = \"{name}\"\nkey = \"{name}.host.key\"\nserviceManager = \"none\"\n\n\
         [state]\ndir = \"{name}.state\"\n\n\
         [trust]\nfile = \"fleet.trust.yaml\"\n\n\
         [api]\nsocket = \"{name}.state/agent.sock\"\n{reporting}"
    );
    fs::write(&seat.settings, text)?;
    Ok(())
}

/// The settings by which a host reports.
fn reporting(seat: &Seat, board: &Board) -> String {
    let token = seat.token.file_name().unwrap_or_default().display();
    format!("\n[control]\nurl = \"http://{}\"\ntokenFile = \"{token}\"\n", board.address)
}
