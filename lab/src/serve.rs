//! Runs a lab: binds its ports, starts its clients, lets the fault strike, says where everything is.
//!
//! One process serves a lab at a time; the lock on `lab.lock` says so. Start at [`serve`].

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::LabError;
use crate::client::Client;
use crate::clients;
use crate::config::{Fault, LabConfig, Scenario, When};
use crate::control_plane_port::ControlPlanePort;
use crate::data_port::DataPort;
use crate::disk::{read_json, read_json_if_any, write_atomic, write_json};
use crate::group::node_name;
use crate::http::{self, Service, Transport};
use crate::ingress::{IngressAdminPort, IngressDataPort};
use crate::layout::Layout;
use crate::node::NodePort;
use crate::switchboard::Switchboard;
use crate::tls;
use crate::world::{Phase, World};

/// How often the `down` marker is looked for.
const MARKER_EVERY: Duration = Duration::from_millis(50);
/// A lab that was just stopped may hold its lock for a moment.
const LOCK_WAIT: Duration = Duration::from_secs(1);
/// The writer's first acknowledgements, and its first failures, come within this time.
const CLIENTS_WAIT: Duration = Duration::from_secs(20);
/// A serving process notices the marker and ends within this time.
const STOP_WAIT: Duration = Duration::from_secs(10);

/// Serves the lab in `dir` until SIGTERM, SIGINT, [`stop`] or `POST /lab/down`.
pub async fn serve(dir: &Path) -> Result<(), LabError> {
    let terminated = async {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            _ = terminate.recv() => Ok(()),
            interrupted = tokio::signal::ctrl_c() => interrupted,
        }
    };
    serve_until(dir, async {
        // Where signals can't be had, the marker still ends the lab.
        let handled: io::Result<()> = terminated.await;
        if handled.is_err() {
            std::future::pending::<()>().await;
        }
    })
    .await
}

/// Serves the lab in `dir` until the future is done, or [`stop`] or `POST /lab/down` end it.
pub async fn serve_until(dir: &Path, end: impl Future<Output = ()>) -> Result<(), LabError> {
    let layout = Layout::new(dir);
    let config: LabConfig = read_json(&layout.config())?;
    let lock = take_lock(&layout, &layout.lock()).await?;
    remove_if_any(&layout.endpoints())?;
    remove_if_any(&layout.down_marker())?;
    let opened = {
        let layout = layout.clone();
        tokio::task::spawn_blocking(move || World::open(layout, config)).await
    };
    let world = Arc::new(opened.map_err(|_| LabError::Ended)??);

    let down = Arc::new(Notify::new());
    let mut servers = JoinSet::new();
    let mut clients = JoinSet::new();
    let served = async {
        let endpoints = start_servers(&world, &down, &mut servers).await?;
        start_clients(&world, &endpoints, &mut clients);
        strike(&world).await?;
        write_json(&layout.endpoints(), &endpoints, world.config.fsync)?;
        let _ready = take_lock(&layout, &layout.ready_lock()).await?;
        tokio::select! {
            () = end => Ok(()),
            () = down.notified() => Ok(()),
            () = marker(&layout) => Ok(()),
            // Clients go on for ever, unless their ledger can't be written.
            Some(ended) = clients.join_next() => ended.unwrap_or(Err(LabError::Ended)),
        }
    }
    .await;
    // Clients first: they must not take the end of the lab for a failure of the world.
    clients.shutdown().await;
    world.count(|counts| counts.ended = true);
    servers.shutdown().await;
    wait_for_handlers(world).await;
    drop(lock);
    served
}

async fn take_lock(layout: &Layout, path: &Path) -> Result<File, LabError> {
    let deadline = Instant::now() + LOCK_WAIT;
    loop {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path);
        let file = file.map_err(|source| LabError::file(path, source))?;
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(10)).await
            }
            Err(TryLockError::WouldBlock) => {
                return Err(LabError::Running { dir: layout.root().to_owned() });
            }
            Err(TryLockError::Error(source)) => return Err(LabError::file(path, source)),
        }
    }
}

fn remove_if_any(path: &Path) -> Result<(), LabError> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(LabError::file(path, source)),
    }
}

/// Ends when the `down` marker appears.
async fn marker(layout: &Layout) {
    while !layout.down_marker().exists() {
        tokio::time::sleep(MARKER_EVERY).await;
    }
}

/// Requests that are being handled write files: the lock is theirs until they are done.
async fn wait_for_handlers(mut world: Arc<World>) {
    let deadline = Instant::now() + LOCK_WAIT;
    while Instant::now() < deadline {
        match Arc::try_unwrap(world) {
            Ok(_) => return,
            Err(shared) => world = shared,
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Binds all ports, those of the last time where they are free, and serves them.
async fn start_servers(
    world: &Arc<World>,
    down: &Arc<Notify>,
    servers: &mut JoinSet<()>,
) -> Result<BTreeMap<String, String>, LabError> {
    let layout = &world.layout;
    let mutual = Transport::Mutual(TlsAcceptor::from(Arc::new(tls::server_config(&layout.tls())?)));
    let ports_before: BTreeMap<String, u16> = read_json_if_any(&layout.ports())?.unwrap_or_default();
    let mut ports = BTreeMap::new();
    let mut endpoints = directories(world)?;
    for (name, service, is_plain) in services(world, down) {
        let listener = bind(ports_before.get(&name).copied()).await?;
        let port = listener.local_addr().map_err(LabError::Bind)?.port();
        let scheme = if is_plain { "http" } else { "https" };
        endpoints.insert(name.clone(), format!("{scheme}://127.0.0.1:{port}"));
        ports.insert(name, port);
        let transport = if is_plain { Transport::Plain } else { mutual.clone() };
        servers.spawn(http::serve(listener, transport, service));
    }
    if world.config.rpo_ms > 0 {
        servers.spawn(ship_for_ever(Arc::clone(world)));
    }
    write_json(&layout.ports(), &ports, false)?;
    Ok(endpoints)
}

/// Name, service, and whether it is plain HTTP, of every port.
fn services(world: &Arc<World>, down: &Arc<Notify>) -> Vec<(String, Arc<dyn Service>, bool)> {
    let mut services: Vec<(String, Arc<dyn Service>, bool)> = Vec::new();
    for (cluster, parts) in world.clusters.iter().enumerate() {
        let control_plane = ControlPlanePort { world: Arc::clone(world), cluster };
        services.push((parts.control_plane_part(), Arc::new(control_plane), false));
        for node in 0..parts.nodes.len() {
            let part = parts.node_part(node);
            services.push((part.clone(), Arc::new(NodePort { world: Arc::clone(world), cluster, node }), false));
            services.push((
                format!("{part}.data"),
                Arc::new(DataPort { world: Arc::clone(world), cluster, node }),
                true,
            ));
        }
    }
    services.push(("ingress".to_owned(), Arc::new(IngressAdminPort { world: Arc::clone(world) }), false));
    services.push(("ingress.data".to_owned(), Arc::new(IngressDataPort { world: Arc::clone(world) }), true));
    let switchboard = Switchboard { world: Arc::clone(world), down: Arc::clone(down) };
    services.push(("lab".to_owned(), Arc::new(switchboard), true));
    services
}

fn directories(world: &World) -> Result<BTreeMap<String, String>, LabError> {
    let layout = &world.layout;
    let mut found: Vec<(String, PathBuf)> = vec![
        ("objects".to_owned(), layout.objects()),
        ("tls".to_owned(), layout.tls()),
        ("checkouts".to_owned(), layout.checkouts()),
        ("storage".to_owned(), layout.storage()),
    ];
    for cluster in &world.clusters {
        for node in 0..cluster.nodes.len() {
            found.push((format!("{}.wal", cluster.node_part(node)), layout.wal_root(cluster.id, &node_name(node))));
        }
    }
    let absolute = |(name, path): (String, PathBuf)| {
        let path = path.canonicalize().map_err(|source| LabError::file(&path, source))?;
        Ok((name, path.display().to_string()))
    };
    found.into_iter().map(absolute).collect()
}

async fn bind(port: Option<u16>) -> Result<TcpListener, LabError> {
    if let Some(port) = port
        && let Ok(listener) = TcpListener::bind(("127.0.0.1", port)).await
    {
        return Ok(listener);
    }
    TcpListener::bind(("127.0.0.1", 0)).await.map_err(LabError::Bind)
}

fn start_clients(
    world: &Arc<World>,
    endpoints: &BTreeMap<String, String>,
    clients: &mut JoinSet<Result<(), LabError>>,
) {
    let url = |name: &str| endpoints.get(name).cloned().unwrap_or_default();
    clients.spawn(clients::write_for_ever(Arc::clone(world), url("ingress.data")));
    let nodes = world.clusters.iter().enumerate().flat_map(|(cluster, parts)| {
        (0..parts.nodes.len()).map(move |node| (cluster, node, format!("{}.data", parts.node_part(node))))
    });
    let nodes = nodes.map(|(cluster, node, name)| (cluster, node, url(&name))).collect();
    clients.spawn(clients::haunt_for_ever(Arc::clone(world), nodes));
}

/// Lets the clients see a healthy world, then the fault. After a restart both are past.
async fn strike(world: &Arc<World>) -> Result<(), LabError> {
    if world.config.scenario == Scenario::Fresh || world.phase() != Phase::Healthy {
        return Ok(());
    }
    let world = Arc::clone(world);
    let struck = tokio::task::spawn_blocking(move || {
        world.wait_for(CLIENTS_WAIT, |counts| counts.acknowledged > 0);
        world.strike()?;
        world.wait_for(CLIENTS_WAIT, |counts| counts.failing > 0);
        Ok(())
    });
    struck.await.unwrap_or(Err(LabError::Ended))
}

async fn ship_for_ever(world: Arc<World>) {
    let every = Duration::from_millis((world.config.rpo_ms / 2).max(10));
    loop {
        tokio::time::sleep(every).await;
        let world = Arc::clone(&world);
        // A failed upload is tried again next time; what it costs is in the ledgers.
        let _ = tokio::task::spawn_blocking(move || world.ship_all()).await;
    }
}

/// Where the lab's parts are: names and URLs or directories. Fails until the lab is ready.
pub fn endpoints(dir: &Path) -> Result<BTreeMap<String, String>, LabError> {
    read_json_if_any(&Layout::new(dir).endpoints())?.ok_or_else(|| LabError::NotReady { dir: dir.to_owned() })
}

/// Whether a process serves the lab in `dir`, ready or not.
pub fn is_running(dir: &Path) -> bool {
    is_locked(&Layout::new(dir).lock())
}

/// Whether a process serves the lab in `dir` and has said where its parts are: what [`endpoints`]
/// gives is then no leftover of an earlier process.
pub fn is_ready(dir: &Path) -> bool {
    is_locked(&Layout::new(dir).ready_lock())
}

fn is_locked(path: &Path) -> bool {
    let Ok(file) = File::open(path) else {
        return false;
    };
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// Asks the serving process to end, and waits until it has.
pub fn stop(dir: &Path) -> Result<(), LabError> {
    let deadline = Instant::now() + STOP_WAIT;
    let mut asked = false;
    while is_running(dir) {
        if !asked {
            write_atomic(&Layout::new(dir).down_marker(), b"", false)?;
            asked = true;
        }
        if Instant::now() > deadline {
            return Err(LabError::Running { dir: dir.to_owned() });
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// Waits until the lab's clients have seen the world as it is now. True if they have, or if the lab
/// is not running: then its ledgers are what they are.
pub async fn settle(dir: &Path, timeout: Duration) -> Result<bool, LabError> {
    if !is_running(dir) {
        return Ok(true);
    }
    let endpoints = endpoints(dir)?;
    let url = endpoints.get("lab").cloned().unwrap_or_default();
    let body = json!({ "timeout_ms": u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX) });
    let reply = Client::plain(&url).send("POST", "/lab/quiesce", &[], Some(&body)).await;
    let (_, reply) = reply.map_err(|source| LabError::Unreachable { url, source })?;
    Ok(reply["settled"] == true)
}

/// Causes a fault in a lab. None is available yet beside the scenarios that a lab is made with.
pub fn inject(dir: &Path, fault: &Fault, when: &When, seed: u64) -> Result<(), LabError> {
    let _: LabConfig = read_json(&Layout::new(dir).config())?;
    let _ = (when, seed);
    Err(LabError::NotAvailable { fault: fault.to_string() })
}
