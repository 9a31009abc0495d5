//! What a kind of case takes, and from where on it proves something.

use super::Phase;

impl Phase {
    /// Whether `release` can name another release than the one under test.
    pub fn takes_release(self) -> bool {
        matches!(
            self,
            Self::JobCompletes
                | Self::JobFails
                | Self::Output
                | Self::JobExpires
                | Self::SeveralReleases
                | Self::StaysOut
                | Self::TemplateRefused
                | Self::Autoscaler
                | Self::BadReleaseRollsBack
                | Self::FailedUpgrade
                | Self::Answers
                | Self::HooksFirst
                | Self::RollbackAlone
                | Self::EachAlone
                | Self::ReplicasAre
                | Self::Restart
                | Self::ClaimsRemoved
        )
    }

    /// With how many replicas it begins to prove something.
    pub fn fewest_replicas(self) -> u32 {
        match self {
            Self::LeaderWriteFollowerRead
            | Self::PodKillLeader
            | Self::PodKillFollower
            | Self::PodKillZero
            | Self::Spread
            | Self::UnreadyGetsNoTraffic => 2,
            _ => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::TABLE;

    /// The phase's own file says whether it looks at the release that its case names.
    #[test]
    fn a_case_takes_a_release_where_its_file_looks_at_it() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/phases");
        for (phase, ..) in TABLE {
            let file = folder.join(format!("{}.rs", snake(&format!("{phase:?}"))));
            let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            let looks = text.contains("cx.placed(") || text.contains("cx.spec.release");
            assert_eq!(phase.takes_release(), looks, "{}", file.display());
        }
    }

    fn snake(name: &str) -> String {
        let each =
            name.chars().flat_map(|c| if c.is_ascii_uppercase() { vec!['_', c.to_ascii_lowercase()] } else { vec![c] });
        each.collect::<String>().trim_start_matches('_').to_owned()
    }
}
