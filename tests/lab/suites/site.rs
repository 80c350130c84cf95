//! Suite 2: a merge changes nginx's site, nginx is told, and a probe sees the new version.
//!
//! **Invariant:** what is served is asked for on the host itself, not read from the agent's word.

use anyhow::{Result, ensure};
use bowline_api::outcome::Outcome;

use crate::desired::{self, PAGE, Shop};
use crate::host::Host;
use crate::report::Suite;
use crate::world::World;

pub(super) fn play(world: &mut World, suite: &mut Suite<'_>) -> Result<()> {
    let Some(host) = world.hosts.first() else { return Ok(()) };
    host.run(
        "sed -i 's/^\\[source\\]/[source]\\ninterval = \"1s\"/' /etc/bowline/agent.toml\n\
         systemctl restart bowline-agent",
    )?;
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
    Ok(())
}

/// The page that nginx serves must be of this version.
pub(super) fn expect_served(host: &Host, version: &str) -> Result<()> {
    let page = host.run(&format!("curl --silent --show-error --max-time 5 {PAGE}"))?;
    ensure!(page == format!("{{\"version\":\"{version}\"}}"), "served is {page}");
    Ok(())
}

/// What suites compare before and after: every file of the shop, and what its units are.
pub(super) fn state(host: &Host) -> Result<String> {
    host.run(
        "find /srv/shop /etc/nginx/conf.d -type f -exec sha256sum {} + | sort -k 2\n\
         find /srv/shop /etc/nginx/conf.d -exec stat -c '%n %F %a %U:%G' {} + | sort\n\
         for unit in nginx; do systemctl is-enabled $unit; systemctl is-active $unit; done",
    )
}
