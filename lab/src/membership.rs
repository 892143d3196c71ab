//! Who votes in a control plane, and which changes keep a majority at every moment.
//!
//! Pure rules: the control plane refuses by them and the judge checks by them.

use serde::{Deserialize, Serialize};

/// What a member of a control plane does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MemberRole {
    Voter,
    Standby,
    Evicted,
}

impl MemberRole {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Voter => "voter",
            Self::Standby => "standby",
            Self::Evicted => "evicted",
        }
    }
}

/// One member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) ordinal: u64,
    pub(crate) role: MemberRole,
}

/// A change under way: both sets must agree until it is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Joint {
    pub(crate) old: Vec<String>,
    pub(crate) new: Vec<String>,
}

/// Whether the living among `voters` are more than half.
pub(crate) fn has_majority(voters: &[String], live: &[String]) -> bool {
    let alive = voters.iter().filter(|voter| live.contains(voter)).count();
    !voters.is_empty() && alive * 2 > voters.len()
}

/// Whether going from `old` to `new` keeps a majority of both.
pub(crate) fn change_is_safe(joint: &Joint, live: &[String]) -> bool {
    has_majority(&joint.old, live) && has_majority(&joint.new, live)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn check(old: &str, new: &str, live: &str, safe: bool) {
        let joint = Joint { old: names(old), new: names(new) };
        assert_eq!(change_is_safe(&joint, &names(live)), safe, "{old} -> {new} with {live}");
    }

    #[test]
    fn a_change_needs_a_majority_of_both_sets() {
        check("a b c", "a b c d", "a c d", true);
        check("a b c", "a b c d", "a c", false);
        check("a b c", "a c", "a c", true);
        check("a b c", "a b", "a c", false);
        check("a b c", "d e f", "a b d", false);
        check("a", "", "a", false);
    }
}
