//! Suite 2: a merge brings a site behind nginx and a shop with a unit of its own; probes see the new version.
//!
//! **Invariant:** what is served is asked for on the host itself, not read from the agent's word.

use std::time::Duration;

use anyhow::{Result, ensure};
use bowline_api::outcome::Outcome;
use tests::patience;

use crate::desired::{self, APP, SITE, Shop};
use crate::host::Host;
use crate::report::Suite;
use crate::world::World;

/// A cycle that was asked for, and a program's start.
const MENDED: Duration = Duration::from_secs(30);

pub(super) fn play(world: &mut World, suite: &mut Suite<'_>) -> Result<()> {
    let Some(host) = world.hosts.first() else { return Ok(()) };
    suite.check("a reload takes changed settings up, without a restart", || {
        let ask = "systemctl show bowline-agent -p MainPID,NRestarts,ActiveState";
        let before = host.run(ask)?;
        host.run(
            "sed -i 's/^\\[source\\]/[source]\\ninterval = \"1s\"/' /etc/bowline/agent.toml\n\
             systemctl reload bowline-agent",
        )?;
        let after = host.run(ask)?;
        ensure!(before == after, "the service was:\n{before}\nand is:\n{after}");
        Ok(((), "polls every second from now on".to_owned()))
    })?;
    suite.check("a merge names the host, and the host is known from then on", || {
        let key = host.run("ssh-keygen -lf /etc/bowline/host.key.pub | cut -d' ' -f2")?;
        let named = desired::host(&host.name, key.trim(), "shop");
        let record = world.deploy(host, "name-web-1", &[named], Outcome::Committed)?;
        Ok(((), record.deployment))
    })?;
    for version in ["1.0.0", "1.1.0"] {
        let claim = format!("a merge of shop {version} is served by nginx");
        suite.check(&claim, || {
            let files = Shop::well(version).files();
            let record =
                world.deploy(host, &format!("shop-{version}"), &files, Outcome::Committed)?;
            expect_served(host, version)?;
            Ok(((), format!("{} steps", record.steps.changed)))
        })?;
    }
    suite.check("the shop's unit is enabled and runs, by its own text", || {
        let seen =
            host.run("systemctl show shop -p UnitFileState,ActiveState,Description,NRestarts")?;
        for line in ["UnitFileState=enabled", "ActiveState=active", "Description=Shop 1.1.0"] {
            ensure!(seen.contains(line), "no {line} in: {seen}");
        }
        Ok(((), String::new()))
    })?;
    suite.check("a unit that somebody stopped and disabled is put right", || {
        host.run("systemctl disable --now --quiet shop && bowline sync")?;
        patience::until("the shop to run again", MENDED, || {
            let state = host.try_run("systemctl is-enabled shop; systemctl is-active shop")?.1;
            Ok((state == "enabled\nactive\n").then_some(()))
        })?;
        patience::until("the shop to answer", MENDED, || Ok(expect_served(host, "1.1.0").ok()))?;
        Ok(((), String::new()))
    })
}

/// What nginx and the shop serve must be of this version.
pub(super) fn expect_served(host: &Host, version: &str) -> Result<()> {
    for page in [SITE, APP] {
        let said = host.run(&format!("curl --silent --show-error --max-time 5 {page}"))?;
        ensure!(said == format!("{{\"version\":\"{version}\"}}"), "{page} answers {said}");
    }
    Ok(())
}

/// What suites compare before and after: every file of the shop, and what its units are.
pub(super) fn state(host: &Host) -> Result<String> {
    host.run(
        "managed='/srv/shop /etc/shop /etc/nginx/conf.d /etc/systemd/system /usr/local/bin'\n\
         find $managed -type f -exec sha256sum {} + | sort -k 2\n\
         find $managed -exec stat -c '%N %F %a %U:%G' {} + | sort\n\
         systemctl show nginx shop -p Description,UnitFileState,ActiveState,SubState,NeedDaemonReload",
    )
}
