//! The lab as a target file.

use std::fmt::Write as _;

use crate::config::{LabConfig, group_id, partition_id};

/// `manifests/targets/lab.toml`: the target of a lab of the usual size.
pub fn target_toml() -> &'static str {
    include_str!("../../manifests/targets/lab.toml")
}

/// The target of a lab of any size.
pub fn target_toml_for(config: &LabConfig) -> String {
    let text = target_toml();
    let groups_at = text.find("[[partition_groups]]").expect("the target lists its groups");
    let storage_at = text.find("[storage]").expect("storage follows the groups");
    let mut head = text[..groups_at].to_owned();
    for cluster in [crate::config::PRIMARY, crate::config::DR] {
        head = with_nodes(&head, cluster, config);
    }
    format!("{head}{}{}", groups(config), &text[storage_at..])
}

/// Replaces a cluster's list of nodes.
fn with_nodes(text: &str, cluster: &str, config: &LabConfig) -> String {
    const OPEN: &str = "nodes = [\n";
    let section = text.find(&format!("\"{cluster}\"")).expect("the target names its clusters");
    let start = section + text[section..].find(OPEN).expect("a cluster lists its nodes") + OPEN.len();
    let end = start + text[start..].find("]\n").expect("the list ends");
    let mut nodes = String::new();
    for node in config.node_ids() {
        let line = format!(
            "  {{ id = \"{node}\", admin = \"lab://{cluster}.{node}\", wal_root = \"lab://{cluster}.{node}.wal\" }},\n"
        );
        nodes.push_str(&line);
    }
    format!("{}{nodes}{}", &text[..start], &text[end..])
}

fn groups(config: &LabConfig) -> String {
    let replicas: Vec<_> = config.node_ids().map(|node| format!("\"{node}\"")).collect();
    let mut text = String::new();
    for number in 0..config.groups {
        let (group, partition) = (group_id(number), partition_id(number));
        let written = write!(
            text,
            "[[partition_groups]]\ngroup_id   = \"{group}\"\npartitions = [\"{partition}\"]\nreplicas   = [{}]\n\
             shipments  = \"lab://objects/shipments/{group}\"\nbaseline   = \"lab://objects/baselines/{group}.json\"\n\n",
            replicas.join(", "),
        );
        written.expect("a String takes everything");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_file_is_the_usual_lab() {
        assert_eq!(target_toml_for(&LabConfig::default()), target_toml());
    }

    #[test]
    fn another_size_is_a_target_too() {
        let text = target_toml_for(&LabConfig { groups: 12, replicas: 5, ..LabConfig::default() });
        let target: toml::Table = text.parse().unwrap();
        assert_eq!(target["partition_groups"].as_array().unwrap().len(), 12);
        let nodes = target["clusters"]["dr"]["nodes"].as_array().unwrap();
        assert_eq!(nodes[4]["admin"].as_str(), Some("lab://cluster-b.node-4"));
    }
}
