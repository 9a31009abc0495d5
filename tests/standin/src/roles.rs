//! Which members should vote: the rules of dqlite's Go library, as pure functions.

use std::cmp::Ordering;

/// A member's role in the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Votes.
    Voter,
    /// Has the data but doesn't vote; is promoted first.
    Standby,
    /// Doesn't vote.
    Spare,
}

impl Role {
    /// Returns the role as the API shows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Voter => "voter",
            Self::Standby => "standby",
            Self::Spare => "spare",
        }
    }
}

/// A member as the leader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its id.
    pub id: u64,
    /// Its Raft address.
    pub address: String,
    /// Its role.
    pub role: Role,
    /// Whether it responds; the leader itself always does.
    pub online: bool,
}

/// A change of one member's role.
pub type Change = (u64, Role);

const VOTERS: usize = 3;
const STANDBYS: usize = 3;
/// In a smaller cluster only the leader votes.
const MEMBERS_MIN: usize = 3;

/// Returns the changes after a member has joined: it becomes a voter if one is missing, and so does another one if it
/// was the third member.
pub fn after_join(members: &[Seen], joined: u64) -> Vec<Change> {
    if members.len() < MEMBERS_MIN || !is(members, joined, Role::Spare) {
        return Vec::new();
    }
    let voters = ids(members, Role::Voter, true);
    if voters.len() >= VOTERS {
        let wanted = ids(members, Role::Standby, true).len() < STANDBYS;
        return if wanted { vec![(joined, Role::Standby)] } else { Vec::new() };
    }
    let alone = voters.len() == 1;
    let another = waiting(members).into_iter().find(|id| *id != joined).filter(|_| alone);
    [joined].into_iter().chain(another).map(|id| (id, Role::Voter)).collect()
}

/// Returns the next change that the leader makes in its cycle, or `None` if nothing has to change.
pub fn adjust(members: &[Seen], leader: u64) -> Option<Change> {
    if members.len() < MEMBERS_MIN {
        let other = ids(members, Role::Voter, true).into_iter().chain(ids(members, Role::Voter, false));
        return other.filter(|id| *id != leader).map(|id| (id, Role::Spare)).next();
    }
    let voters = ids(members, Role::Voter, true);
    match voters.len().cmp(&VOTERS) {
        // If nobody can be promoted, nothing else changes either: a dead voter stays a voter.
        Ordering::Less => waiting(members).first().map(|id| (*id, Role::Voter)),
        Ordering::Greater => voters.into_iter().find(|id| *id != leader).map(|id| (id, Role::Spare)),
        Ordering::Equal => dead_voter(members).or_else(|| adjust_standbys(members)),
    }
}

fn dead_voter(members: &[Seen]) -> Option<Change> {
    ids(members, Role::Voter, false).first().map(|id| (*id, Role::Spare))
}

fn adjust_standbys(members: &[Seen]) -> Option<Change> {
    let online = ids(members, Role::Standby, true);
    if online.len() < STANDBYS {
        let spare = ids(members, Role::Spare, true).first().map(|id| (*id, Role::Standby));
        return spare.or_else(|| offline_standby(members));
    }
    offline_standby(members)
}

fn offline_standby(members: &[Seen]) -> Option<Change> {
    ids(members, Role::Standby, false).first().map(|id| (*id, Role::Spare))
}

/// Returns the members that could be promoted, the best first.
fn waiting(members: &[Seen]) -> Vec<u64> {
    [ids(members, Role::Standby, true), ids(members, Role::Spare, true)].concat()
}

fn ids(members: &[Seen], role: Role, online: bool) -> Vec<u64> {
    members.iter().filter(|m| m.role == role && m.online == online).map(|m| m.id).collect()
}

fn is(members: &[Seen], id: u64, role: Role) -> bool {
    members.iter().any(|member| member.id == id && member.role == role)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns members from letters: `V`oter, standby (`B`), `S`pare; lower case means offline. Ids count from 1.
    fn members(letters: &str) -> Vec<Seen> {
        let seen = |(index, letter): (usize, char)| Seen {
            id: index as u64 + 1,
            address: String::new(),
            role: match letter.to_ascii_uppercase() {
                'V' => Role::Voter,
                'B' => Role::Standby,
                _ => Role::Spare,
            },
            online: letter.is_ascii_uppercase(),
        };
        letters.chars().enumerate().map(seen).collect()
    }

    #[test]
    fn the_third_member_makes_three_voters() {
        assert_eq!(after_join(&members("VS"), 2), []);
        assert_eq!(after_join(&members("VSS"), 3), [(3, Role::Voter), (2, Role::Voter)]);
        assert_eq!(after_join(&members("VsS"), 3), [(3, Role::Voter)]);
        assert_eq!(after_join(&members("VVVS"), 4), [(4, Role::Standby)]);
        assert_eq!(after_join(&members("VVVBBBS"), 7), []);
    }

    #[test]
    fn a_new_member_replaces_a_dead_voter_that_is_demoted_later() {
        assert_eq!(after_join(&members("VvVS"), 4), [(4, Role::Voter)]);
        assert_eq!(adjust(&members("VvVV"), 1), Some((2, Role::Spare)));
        assert_eq!(adjust(&members("VsVV"), 1), None);
    }

    #[test]
    fn a_dead_voter_without_replacement_stays_a_voter() {
        assert_eq!(adjust(&members("VVv"), 1), None);
        assert_eq!(adjust(&members("VVvS"), 1), Some((4, Role::Voter)));
        assert_eq!(adjust(&members("VVvSB"), 1), Some((5, Role::Voter)));
    }

    #[test]
    fn a_small_cluster_has_one_voter() {
        assert_eq!(adjust(&members("V"), 1), None);
        assert_eq!(adjust(&members("VS"), 1), None);
        assert_eq!(adjust(&members("VV"), 2), Some((1, Role::Spare)));
    }

    #[test]
    fn too_many_voters_and_standbys_are_reduced() {
        assert_eq!(adjust(&members("VVVV"), 1), Some((2, Role::Spare)));
        assert_eq!(adjust(&members("VVVS"), 1), Some((4, Role::Standby)));
        assert_eq!(adjust(&members("VVVb"), 1), Some((4, Role::Spare)));
        assert_eq!(adjust(&members("VVVBBB"), 1), None);
    }

    #[test]
    fn adjusting_terminates() {
        for letters in ["VVVVV", "VvvSSS", "VSSSSSSS", "vvVBbSs", "VVvvvS"] {
            let mut members = members(letters);
            let leader = members.iter().find(|m| m.online && m.role == Role::Voter).unwrap().id;
            let mut changes = 0;
            while let Some((id, role)) = adjust(&members, leader) {
                members.iter_mut().find(|m| m.id == id).unwrap().role = role;
                changes += 1;
                assert!(changes < 20, "{letters} never stabilizes");
            }
        }
    }
}
