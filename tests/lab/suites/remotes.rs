//! Suite 5: the repository lives on another host, and is fetched over the network.
//!
//! **Invariant:** each way is shown by a merge that came by it, and by nothing else.

use anyhow::{Context as _, Result, ensure};
use bowline_api::outcome::Outcome;
use tests::http;

use super::site::expect_served;
use crate::desired::Shop;
use crate::enlist::{self, Remote};
use crate::host::Host;
use crate::report::Suite;
use crate::world::World;

pub(super) fn play(world: &mut World, suite: &mut Suite<'_>) -> Result<()> {
    suite.check("a hub serves the repository, and keeps records as a service", || {
        let hub = world.raise_hub()?;
        let state = hub.run("systemctl is-active bowline-control nginx fcgiwrap.socket")?;
        Ok(((), state.trim().replace('\n', " ")))
    })?;
    let hub = world.hub.as_ref().context("the hub is gone")?;
    is_well(world, suite, hub)?;
    let host = world.hosts.first().context("the first host is gone")?;
    enlist::carry(hub, host).context("carry what a host needs to it")?;
    for (version, remote) in
        [("3.0.0", Remote::Https), ("3.1.0", Remote::Ssh), ("3.2.0", Remote::Http)]
    {
        suite.check(&format!("a merge comes by {}", remote.url()), || {
            enlist::follow(host, remote)?;
            let shop = Shop::well(version).files();
            world.deploy(host, &format!("shop-{version}"), &shop, Outcome::Committed)?;
            expect_served(host, version)?;
            Ok(((), String::new()))
        })?;
    }
    Ok(())
}

/// The hub's own services are as its manuals say.
fn is_well(world: &World, suite: &mut Suite<'_>, hub: &Host) -> Result<()> {
    suite.check("the control service is confined as its unit says", || {
        let security = hub.run("systemd-analyze security --no-pager bowline-control.service")?;
        let level = security.lines().last().unwrap_or_default().to_owned();
        ensure!(level.contains(" OK "), "{level}");
        Ok(((), level))
    })?;
    suite.check("its pages and the repository are served on the bridge", || {
        let address = format!("{}:80", hub.address).parse().context("find the hub's address")?;
        let (status, _) = http::get_at(address, "/healthz")?;
        ensure!(status == 200, "/healthz answers {status}");
        let (status, refs) =
            http::get_at(address, "/git/fleet.git/info/refs?service=git-upload-pack")?;
        let refs = String::from_utf8_lossy(&refs).into_owned();
        ensure!(status == 200 && refs.contains(&world.fleet.head()?), "{status}: {refs}");
        Ok(((), format!("http://{address}/")))
    })
}
