//! What a refused upgrade says about fields that belong to somebody else, and what to do about it.

/// A field that another manager owns.
#[derive(Debug, PartialEq, Eq)]
struct Conflict {
    owner: String,
    fields: Vec<String>,
}

/// Returns a message for a refused upgrade: the fields with their owners and what to do, or helm's error as it is.
pub fn explained(title: &str, tail: &str, error: &str) -> String {
    let conflicts = conflicts(tail);
    if conflicts.is_empty() {
        return format!("helm upgrade failed after {title} was changed: {error}");
    }
    let owned =
        conflicts.iter().map(|Conflict { owner, fields }| format!("{} belongs to {owner:?}", fields.join(", ")));
    format!(
        "{title}: {}, so helm upgrade is refused; leave the field out of the chart while something else sets it, or \
         upgrade with --force-conflicts\n{error}",
        owned.collect::<Vec<_>>().join("; ")
    )
}

/// Reads the message of a server-side apply: `conflict with "kubectl" with subresource "scale" using apps/v1:
/// .spec.replicas`, or `conflicts with "kubectl" using v1:` and a line for each field.
fn conflicts(tail: &str) -> Vec<Conflict> {
    let mut found: Vec<Conflict> = Vec::new();
    for part in tail.split("conflict").skip(1) {
        let part = part.strip_prefix('s').unwrap_or(part);
        let Some((owner, rest)) = part.strip_prefix(" with \"").and_then(|rest| rest.split_once('"')) else { continue };
        let fields = rest.split_whitespace().filter(|word| word.starts_with('.'));
        let fields = fields.map(|field| field.trim_start_matches('.').trim_end_matches(',').to_owned()).collect();
        found.push(Conflict { owner: owner.to_owned(), fields });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_owners_are_found_in_the_messages_of_the_api_server() {
        let one = "Error: UPGRADE FAILED: conflict occurred while applying object a/web apps/v1, Kind=StatefulSet: Apply \
                   failed with 1 conflict: conflict with \"kubectl\" with subresource \"scale\" using apps/v1: .spec.replicas";
        let said = explained("StatefulSet/web", one, "helm's error");
        let begin =
            "StatefulSet/web: spec.replicas belongs to \"kubectl\", so helm upgrade is refused; leave the field out";
        assert!(said.starts_with(begin) && said.ends_with("\nhelm's error"), "{said}");
        let two = "Apply failed with 2 conflicts: conflicts with \"a\" using v1:\n- .data.x\n- .data.y";
        let wanted = [Conflict { owner: "a".to_owned(), fields: vec!["data.x".to_owned(), "data.y".to_owned()] }];
        assert_eq!(conflicts(two), wanted);
    }

    #[test]
    fn any_other_failure_is_shown_as_it_is() {
        let said = explained("StatefulSet/web", "Error: UPGRADE FAILED: context deadline exceeded", "helm's error");
        assert_eq!(said, "helm upgrade failed after StatefulSet/web was changed: helm's error");
    }
}
