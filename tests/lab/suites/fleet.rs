//! Suite 5: many hosts on one bridge.
//!
//! **Invariant:** all of them are up before anything is measured.

use std::time::Instant;

use anyhow::{Result, ensure};

use crate::report::Suite;
use crate::world::{Installed, World};

pub(super) fn play(world: &mut World, suite: &mut Suite<'_>) -> Result<()> {
    let count = usize::from(world.count);
    suite.check(&format!("{count} hosts are up on one bridge"), || {
        let began = Instant::now();
        let first = world.hosts.len();
        while world.hosts.len() < count {
            let mut host = world.make_host(Installed::Yes)?;
            host.start()?;
            world.hosts.push(host);
        }
        for host in world.hosts.iter_mut().skip(first) {
            host.await_boot()?;
        }
        Ok(((), format!("{} more in {:.1} s", count - first, began.elapsed().as_secs_f64())))
    })?;
    suite.check("every host reaches every other", || {
        let addresses: Vec<_> = world.hosts.iter().map(|it| it.address.as_str()).collect();
        let ask = format!(
            "for it in {}; do curl --silent --fail --max-time 5 --output /dev/null http://$it/; done",
            addresses.join(" ")
        );
        for host in &world.hosts {
            let (code, said) = host.try_run(&ask)?;
            ensure!(code == Some(0), "{}: {said}", host.name);
        }
        Ok(((), String::new()))
    })
}
