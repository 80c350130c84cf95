//! The board: hosts, a hub and its pages, kept up for whoever wants to try.
//!
//! **Invariant:** it is the same fleet that the suites check, left alone.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bowline_api::outcome::Outcome;
use tests::patience;

use crate::agent;
use crate::arguments::Ground;
use crate::desired::Shop;
use crate::enclosure::Ended;
use crate::enlist;
use crate::hub;
use crate::relay;
use crate::world::{Installed, World};

/// A whole fleet's first deployment.
const FIRST: Duration = Duration::from_mins(2);

/// Nobody looks: the lab's first process only has to stay.
const STAY: Duration = Duration::from_hours(1);

/// Shows the board until this process is killed.
pub(crate) fn show(ground: &Ground, address: SocketAddr) -> Result<Ended> {
    let mut world = World::make(ground)?;
    println!("Booting a hub and {} hosts …", ground.hosts);
    world.raise_hub()?;
    world.boot_all(Installed::Yes)?;
    for host in &world.hosts {
        enlist::enlist(&world, host)?;
    }
    let mut files = enlist::named(&world.hosts)?;
    files.extend(Shop::well("1.0.0").files());
    let merge = world.merge("shop-1.0.0", &files)?;
    for host in &world.hosts {
        patience::until("the first deployment", FIRST, || {
            let found = agent::recorded(host, 0, &merge).ok().flatten();
            Ok(found.filter(|it| it.outcome == Outcome::Committed))
        })?;
        println!("{} runs shop 1.0.0", host.name);
    }
    let hub = world.hub.as_ref().context("the hub is gone")?;
    let pages = format!("{}:80", hub.address).parse().context("find the hub's pages")?;
    relay::inside(&ground.folder.join(relay::SOCKET), pages)?;
    world.lend_office()?;
    println!("{}", advice(ground, address, &hub::reader(hub)?));
    loop {
        thread::sleep(STAY);
    }
}

/// What to try.
fn advice(ground: &Ground, address: SocketAddr, token: &str) -> String {
    let fleet = ground.folder.join("office/fleet");
    format!(
        "\nThe board is at http://{address}/ and asks for the readers' token:\n\n\
         {token}\n\n\
         In another terminal, as root:\n\n\
         cd {}\n\
         sed -i 's/1\\.0\\.0/1.1.0/' apps/shop/shop.yaml                         # a change that is well\n\
         git commit -qam 'shop 1.1.0' && git push -q\n\
         sed -i 's/1\\.1\\.0/1.2.0/; s/200, json/500, json/' apps/shop/shop.yaml  # no shop passes this probe\n\
         git commit -qam 'shop 1.2.0' && git push -q                         # it is taken back everywhere\n\
         git revert --no-edit HEAD && git push -q                            # what heals it is a merge\n\n\
         cargo lab -- on web-1 bowline status                                # from the clone, as root\n\
         cargo lab -- on web-1 curl -s http://127.0.0.1:8080/version.json\n\n\
         Ctrl-C ends all of it.",
        fleet.display()
    )
}
