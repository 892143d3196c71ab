//! Where everything of a lab lies below its directory.

use std::path::{Path, PathBuf};

/// Paths of one lab.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.root.join("lab.json")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("lab.lock")
    }

    pub(crate) fn ready_lock(&self) -> PathBuf {
        self.root.join("ready.lock")
    }

    pub(crate) fn endpoints(&self) -> PathBuf {
        self.root.join("endpoints.json")
    }

    pub(crate) fn ports(&self) -> PathBuf {
        self.root.join("ports.json")
    }

    pub(crate) fn down_marker(&self) -> PathBuf {
        self.root.join("down")
    }

    pub(crate) fn scenario(&self) -> PathBuf {
        self.root.join("scenario.json")
    }

    pub(crate) fn tls(&self) -> PathBuf {
        self.root.join("tls")
    }

    pub(crate) fn objects(&self) -> PathBuf {
        self.root.join("objects")
    }

    pub(crate) fn checkouts(&self) -> PathBuf {
        self.root.join("checkouts")
    }

    pub(crate) fn storage(&self) -> PathBuf {
        self.root.join("storage")
    }

    pub(crate) fn ingress(&self) -> PathBuf {
        self.root.join("ingress.json")
    }

    pub(crate) fn control_plane(&self, cluster: &str) -> PathBuf {
        self.root.join("control-planes").join(format!("{cluster}.json"))
    }

    pub(crate) fn node(&self, cluster: &str, node: &str) -> PathBuf {
        self.root.join("nodes").join(cluster).join(node)
    }

    pub(crate) fn wal_root(&self, cluster: &str, node: &str) -> PathBuf {
        self.node(cluster, node).join("wal")
    }

    pub(crate) fn replica(&self, cluster: &str, node: &str, partition: &str) -> PathBuf {
        self.wal_root(cluster, node).join(partition)
    }

    pub(crate) fn ledgers(&self) -> PathBuf {
        self.root.join("ledgers")
    }

    pub(crate) fn world_ledger(&self) -> PathBuf {
        self.ledgers().join("world.jsonl")
    }

    pub(crate) fn writer_ledger(&self) -> PathBuf {
        self.ledgers().join("writer.jsonl")
    }

    pub(crate) fn zombie_ledger(&self) -> PathBuf {
        self.ledgers().join("zombie.jsonl")
    }
}
