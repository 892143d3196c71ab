//! Who sits before this process, and which process it is.
//!
//! A name is a claim, kept in the journal with the way it came; it is not a login. Start at [`Person::of`].

use ceptra_flow_core::ids::Name;
use ceptra_flow_core::input::{Actor, Engine};
use ceptra_flow_state::Who;

/// The person who runs this command.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    /// Their name.
    pub(crate) name: String,
    /// The host they are on.
    host: String,
}

impl Person {
    /// `--as`, else `CEPTRA_FLOW_USER`, `USER`, `LOGNAME`, else the account's name, or its number.
    pub(crate) fn of(said: Option<&str>) -> Self {
        let name = name_of(said, |variable| std::env::var(variable).ok(), || account(uid()));
        let host = Who::here(&name).host;
        Self { name, host }
    }

    /// As an actor of the journal. `via` is `command` or `terminal`.
    pub(crate) fn actor(&self, via: &str) -> Actor {
        Actor { name: self.name.clone(), via: Name::from(via), host: Some(self.host.clone()) }
    }

    /// This process as an engine.
    pub(crate) fn engine(&self) -> Engine {
        let boot_id =
            std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().map(|text| text.trim().to_owned());
        Engine { version: env!("CARGO_PKG_VERSION").into(), host: self.host.clone(), pid: std::process::id(), boot_id }
    }
}

/// The number of the user that this process belongs to.
pub(crate) fn uid() -> u32 {
    // SAFETY: getuid has no preconditions and cannot fail.
    unsafe { libc::getuid() }
}

/// The name of the account with this number, as this host's own file has it; other directories may be slow or away.
fn account(uid: u32) -> String {
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    account_in(&accounts, uid).map_or_else(|| format!("uid {uid}"), str::to_owned)
}

fn account_in(accounts: &str, uid: u32) -> Option<&str> {
    let number = uid.to_string();
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        (fields.nth(1)? == number).then_some(name)
    })
}

fn name_of(said: Option<&str>, variable: impl Fn(&str) -> Option<String>, account: impl FnOnce() -> String) -> String {
    let from_environment = || {
        ["CEPTRA_FLOW_USER", "USER", "LOGNAME"].into_iter().filter_map(&variable).find(|name| !name.trim().is_empty())
    };
    said.map(str::to_owned).or_else(from_environment).map_or_else(account, |name| name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_claim_wins() {
        let named = |said: Option<&str>, set: &[(&str, &str)]| {
            name_of(
                said,
                |name| set.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned()),
                || "account".to_owned(),
            )
        };
        let all = [("LOGNAME", "log"), ("USER", "user"), ("CEPTRA_FLOW_USER", "flow")];
        assert_eq!(named(Some("ada"), &all), "ada");
        assert_eq!(named(None, &all), "flow");
        assert_eq!(named(None, &all[..2]), "user");
        assert_eq!(named(None, &[("USER", " "), ("LOGNAME", "log")]), "log");
        assert_eq!(named(None, &[]), "account");
    }

    #[test]
    fn an_account_has_a_name() {
        let accounts = "root:x:0:0:root:/root:/bin/bash\n\nbroken\nada:x:1000:1000::/home/ada:/bin/sh\n";
        assert_eq!(account_in(accounts, 0), Some("root"));
        assert_eq!(account_in(accounts, 1000), Some("ada"));
        assert_eq!(account_in(accounts, 7), None);
    }
}
