//! `doctor`: whether this machine and this store can be relied on, each finding with what to do.
//!
//! Makes nothing that it does not remove.

use crate::app::{App, now};
use crate::exit::{self, CommandError, Exit};
use crate::files;
use ceptra_flow_state::{RunId, Store, Who};
use serde::Serialize;
use std::ffi::CString;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Look for what would make a run fail here
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Less than this and a run may not be recorded to its end.
const FREE_BYTES_MIN: u64 = 64 << 20;
/// Less than this and somebody should make room soon.
const FREE_BYTES_GOOD: u64 = 1 << 30;
/// 2025-01-01: a clock before it was never set.
const CLOCK_MS_MIN: u64 = 1_735_689_600_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Ok,
    Warning,
    Bad,
}

#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    verdict: Word,
    what: String,
    help: Option<String>,
    #[serde(skip)]
    exit: Exit,
}

fn ok(check: &'static str, what: impl Into<String>) -> Finding {
    Finding { check, verdict: Word::Ok, what: what.into(), help: None, exit: Exit::Done }
}

fn warning(check: &'static str, what: impl Into<String>, help: impl Into<String>) -> Finding {
    Finding { check, verdict: Word::Warning, what: what.into(), help: Some(help.into()), exit: Exit::Done }
}

fn bad(check: &'static str, exit: Exit, what: impl Into<String>, help: impl Into<String>) -> Finding {
    Finding { check, verdict: Word::Bad, what: what.into(), help: Some(help.into()), exit }
}

pub(crate) fn run(app: &App, _: &Args) -> Result<Exit, CommandError> {
    let mut findings = Vec::new();
    match app.store() {
        Ok(store) => look_at_store(&store, &mut findings),
        Err(error) => findings.push(from_error("state directory", &error)),
    }
    findings.push(loopback());
    findings.push(clock(app));
    if app.console.is_json() {
        app.console.json(&findings);
    } else {
        app.console.result(&table(&findings));
    }
    let worst = findings.iter().map(|finding| finding.exit).max_by_key(|exit| exit.code());
    Ok(worst.unwrap_or(Exit::Done))
}

fn table(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let word = match finding.verdict {
            Word::Ok => "ok      ",
            Word::Warning => "warning ",
            Word::Bad => "BAD     ",
        };
        text.push_str(&format!("{word} {:<16} {}\n", finding.check, finding.what));
        if let Some(help) = &finding.help {
            text.push_str(&format!("{:26}help: {help}\n", ""));
        }
    }
    text
}

fn from_error(check: &'static str, error: &CommandError) -> Finding {
    let (what, help) = exit::describe(error);
    Finding { check, verdict: Word::Bad, what, help, exit: Exit::Store }
}

fn look_at_store(store: &Store, findings: &mut Vec<Finding>) {
    let root = store.root();
    if !root.exists() {
        findings.push(ok("state directory", format!("{} is not there yet; the first run makes it", root.display())));
        findings.push(disk(existing_above(root)));
        return;
    }
    findings.push(match store.check_writable() {
        Ok(()) => ok("state directory", format!("{} can be written", root.display())),
        Err(error) => from_error("state directory", &error.into()),
    });
    findings.push(permissions(root));
    findings.push(disk(root.to_path_buf()));
    findings.push(settings(store));
    findings.push(signing_key(root));
    findings.push(journals(store));
}

fn existing_above(path: &Path) -> PathBuf {
    path.ancestors().find(|above| above.exists()).map_or_else(|| PathBuf::from("/"), Path::to_path_buf)
}

fn permissions(root: &Path) -> Finding {
    const CHECK: &str = "permissions";
    match fs::metadata(root) {
        Err(error) => bad(CHECK, Exit::Store, files::plain(&error), "ask the owner of the directory"),
        Ok(metadata) if metadata.uid() != crate::who::uid() => warning(
            CHECK,
            format!("{} belongs to user {}, not to you", root.display(), metadata.uid()),
            "runs of several users share their records; give each a --state of their own unless that is meant",
        ),
        Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => warning(
            CHECK,
            format!("others may look into {} (mode {:o})", root.display(), metadata.permissions().mode() & 0o777),
            format!("chmod 700 {}", root.display()),
        ),
        Ok(_) => ok(CHECK, "only you look into it"),
    }
}

fn disk(dir: PathBuf) -> Finding {
    const CHECK: &str = "disk space";
    let Some((bytes, inodes)) = free(&dir) else {
        return warning(CHECK, format!("nobody can tell for {}", dir.display()), "look with `df`");
    };
    let mib = bytes >> 20;
    let help = "remove old run directories (after saving their reports), or name another --state";
    if bytes < FREE_BYTES_MIN || inodes == Some(0) {
        return bad(CHECK, Exit::Store, format!("{mib} MiB free: a run may not be recorded to its end"), help);
    }
    if bytes < FREE_BYTES_GOOD {
        return warning(CHECK, format!("{mib} MiB free"), help);
    }
    ok(CHECK, format!("{} GiB free", bytes >> 30))
}

/// Free bytes, and free inodes where the file system counts them.
fn free(dir: &Path) -> Option<(u64, Option<u64>)> {
    let path = CString::new(dir.as_os_str().as_bytes()).ok()?;
    // SAFETY: an all-zero statvfs is a valid value of that plain C struct.
    let mut stats: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: the path is NUL-terminated and the struct is ours; both outlive the call.
    let result = unsafe { libc::statvfs(path.as_ptr(), &raw mut stats) };
    #[expect(clippy::useless_conversion, reason = "the fields have other widths on other systems")]
    let numbers = || {
        Some((
            u64::from(stats.f_bavail).saturating_mul(u64::from(stats.f_frsize)),
            (stats.f_files > 0).then(|| u64::from(stats.f_favail)),
        ))
    };
    if result == 0 { numbers() } else { None }
}

/// Makes a journal on the same file system: it reads back every setting that durability rests on.
fn settings(store: &Store) -> Finding {
    const CHECK: &str = "journal settings";
    let dir = store.root().join(format!(".doctor-{}", std::process::id()));
    let made = Store::open(&dir).map_err(CommandError::from).and_then(|probe| {
        let owned = probe.create_run(&RunId::fresh(), &Who::here("doctor"))?;
        drop(owned);
        Ok(())
    });
    // A leftover would only take space, and its name says what it is.
    let _ = fs::remove_dir_all(&dir);
    match made {
        Ok(()) => ok(CHECK, "write-ahead log and full synchronisation hold on this file system"),
        Err(error) => from_error(CHECK, &error),
    }
}

fn signing_key(root: &Path) -> Finding {
    const CHECK: &str = "signing key";
    let path = root.join("signing.key");
    match fs::metadata(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            ok(CHECK, "is made when a report is first signed")
        }
        Err(error) => bad(
            CHECK,
            Exit::Store,
            format!("{}: {}", path.display(), files::plain(&error)),
            "ask the owner of the directory",
        ),
        Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => bad(
            CHECK,
            Exit::Failed,
            format!(
                "others may read {} (mode {:o}), so its signatures prove little",
                path.display(),
                metadata.permissions().mode() & 0o777
            ),
            format!("chmod 600 {}; if others use this machine, remove it, so that a new one is made", path.display()),
        ),
        Ok(_) => match Store::open(root).and_then(|store| store.signer()) {
            Ok(signer) => ok(CHECK, format!("{}…", &signer.public_key()[..16])),
            Err(error) => from_error(CHECK, &error.into()),
        },
    }
}

fn journals(store: &Store) -> Finding {
    const CHECK: &str = "journals";
    let runs = match store.runs() {
        Ok(runs) => runs,
        Err(error) => return from_error(CHECK, &error.into()),
    };
    /// Older ones are `audit`'s business.
    const LOOKED_AT_MAX: usize = 20;
    let unreadable: Vec<String> = runs
        .iter()
        .take(LOOKED_AT_MAX)
        .filter_map(|run| store.read_run(run).err().map(|error| format!("{run}: {error}")))
        .collect();
    if unreadable.is_empty() {
        return ok(CHECK, ceptra_flow_report::text::count(runs.len(), "run"));
    }
    bad(CHECK, Exit::Store, unreadable.join("; "), "`ceptra-flow audit RUN` names what is wrong")
}

fn loopback() -> Finding {
    const CHECK: &str = "loopback";
    let tried = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| TcpStream::connect(listener.local_addr()?));
    match tried {
        Ok(_) => ok(CHECK, "the rehearsal lab can listen on 127.0.0.1"),
        Err(error) => bad(
            CHECK,
            Exit::Failed,
            format!("no connection over 127.0.0.1: {}", files::plain(&error)),
            "`ip link set lo up`, or allow it in the firewall; only rehearsals need it",
        ),
    }
}

fn clock(app: &App) -> Finding {
    const CHECK: &str = "clock";
    let now = now();
    if now.0 < CLOCK_MS_MIN {
        return warning(
            CHECK,
            format!("it says {}", ceptra_flow_report::utc(now)),
            "set it: records would carry wrong times (their order does not depend on it)",
        );
    }
    ok(CHECK, app.clock().date_time(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_store_has_no_bad_findings_and_is_left_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let store = Store::open(dir.path()).unwrap();
        store.check_writable().unwrap();
        let names = || fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
        let before = names();
        let mut findings = Vec::new();
        look_at_store(&store, &mut findings);
        assert!(findings.iter().all(|finding| finding.verdict != Word::Bad), "{findings:?}");
        assert_eq!(names().len(), before.len());
    }

    #[test]
    fn a_key_that_others_can_read_is_bad() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("signing.key"), "x").unwrap();
        fs::set_permissions(dir.path().join("signing.key"), fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(signing_key(dir.path()).verdict, Word::Bad);
    }
}
