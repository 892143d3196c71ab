//! Starting a child so that it neither inherits from the engine nor outlives it.
//!
//! On Linux the kernel kills a child with the *thread* that forked it. Threads of a pool come and go, so
//! one thread, which lives as long as the process, forks all of them.

use std::io;
use std::sync::OnceLock;
use std::sync::mpsc;
use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

struct Request {
    command: Command,
    /// The runtime that the child's pipes and exit belong to.
    runtime: Handle,
    reply: oneshot::Sender<io::Result<Child>>,
}

/// Starts the command in a session of its own.
pub(super) async fn spawn(mut command: Command) -> io::Result<Child> {
    isolate(&mut command);
    command.kill_on_drop(false);
    let (reply, child) = oneshot::channel();
    let request = Request { command, runtime: Handle::current(), reply };
    spawner()?.send(request).map_err(|_| io::Error::other("the thread that starts processes is gone"))?;
    child.await.map_err(|_| io::Error::other("the thread that starts processes is gone"))?
}

fn spawner() -> io::Result<&'static mpsc::Sender<Request>> {
    static SPAWNER: OnceLock<Result<mpsc::Sender<Request>, io::ErrorKind>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, requests) = mpsc::channel();
        let thread = std::thread::Builder::new().name("spawner".to_owned());
        thread.spawn(move || serve(&requests)).map(|_| sender).map_err(|error| error.kind())
    });
    spawner.as_ref().map_err(|kind| io::Error::from(*kind))
}

fn serve(requests: &mpsc::Receiver<Request>) {
    for Request { mut command, runtime, reply } in requests {
        let _runtime = runtime.enter();
        if let Err(Ok(unwanted)) = reply.send(command.spawn()) {
            kill(&unwanted);
        }
    }
}

/// Whoever asked has stopped waiting.
fn kill(child: &Child) {
    if let Some(id) = child.id().and_then(|id| i32::try_from(id).ok()) {
        // SAFETY: kill(2) touches no memory of ours; the child leads a group of this id and is not reaped yet.
        unsafe { libc::kill(-id, libc::SIGKILL) };
    }
}

/// A session and group of its own, no signal blocked or ignored, no file but the three, and death with us.
fn isolate(command: &mut Command) {
    let engine = std::process::id();
    // SAFETY: between fork and exec only async-signal-safe calls are made, and nothing is allocated.
    unsafe {
        command.pre_exec(move || {
            if libc::setsid() == -1 {
                return Err(io::Error::last_os_error());
            }
            reset_signals();
            die_with(engine)
        });
    }
}

/// SAFETY: sigprocmask(2) and signal(2) are async-signal-safe, and the set is initialised before it is read.
unsafe fn reset_signals() {
    unsafe {
        let mut none = std::mem::MaybeUninit::uninit();
        libc::sigemptyset(none.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut());
        // KILL and STOP cannot be set, and need not be.
        for signal in 1..32 {
            libc::signal(signal, libc::SIG_DFL);
        }
    }
}

/// SAFETY: prctl(2), getppid(2) and close_range(2) are system calls without memory of ours.
#[cfg(target_os = "linux")]
unsafe fn die_with(engine: u32) -> io::Result<()> {
    unsafe {
        if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) == -1 {
            return Err(io::Error::last_os_error());
        }
        // The engine may have died between fork and prctl; then nobody would kill us.
        if u32::try_from(libc::getppid()) != Ok(engine) {
            return Err(io::Error::from_raw_os_error(libc::ECHILD));
        }
        // Ours are all close-on-exec; this is for what the engine itself was started with. Old kernels lack it.
        let _ = libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
    }
    Ok(())
}

/// Other systems have no such request; a supervisor process has to do it there.
#[cfg(not(target_os = "linux"))]
unsafe fn die_with(_engine: u32) -> io::Result<()> {
    Ok(())
}
