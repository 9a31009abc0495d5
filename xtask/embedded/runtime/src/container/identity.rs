//! The user that a container runs as: numbers from the pod's spec, names from the image's `/etc/passwd` and
//! `/etc/group`.

use std::path::Path;

use anyhow::{Result, anyhow, ensure};

use super::plan::Identity;
use crate::rooted::Root;
use crate::spec::Security;

/// Longer account files are truncated.
const ACCOUNTS_BYTES_MAX: u64 = 1 << 20;

/// Finds a container's user and groups as containerd does.
///
/// `image_user` is the image's own `user[:group]`. Numbers need no entry in the account files; names do.
pub fn identify(root: &Root, image_user: &str, security: &Security) -> Result<Identity> {
    let passwd = account_file(root, "etc/passwd");
    let group_file = account_file(root, "etc/group");
    let (image_user, image_group) = image_user.split_once(':').unwrap_or((image_user, ""));
    let wanted = security.run_as_user.map_or_else(|| image_user.to_owned(), |user| user.to_string());
    let entry = find_user(&passwd, &wanted)?;
    let mut identity = Identity { user: entry.id, group: entry.group, groups: Vec::new(), home: entry.home.into() };
    if security.run_as_user.is_none() && !image_group.is_empty() {
        identity.group = find_group(&group_file, image_group)?;
    }
    if let Some(group) = security.run_as_group {
        identity.group = group;
    }
    identity.groups = groups_of(&group_file, &entry.name);
    identity.groups.extend(&security.supplemental_groups);
    identity.groups.sort_unstable();
    identity.groups.dedup();
    Ok(identity)
}

fn account_file(root: &Root, path: &str) -> String {
    let content = root.read(Path::new(path), ACCOUNTS_BYTES_MAX).unwrap_or_default();
    String::from_utf8_lossy(&content).into_owned()
}

struct User {
    name: String,
    id: u32,
    group: u32,
    home: String,
}

/// A line of `/etc/passwd`: `name:password:uid:gid:comment:home:shell`.
fn parse_user(line: &str) -> Option<User> {
    let fields: Vec<&str> = line.split(':').collect();
    Some(User {
        name: (*fields.first()?).into(),
        id: fields.get(2)?.parse().ok()?,
        group: fields.get(3)?.parse().ok()?,
        home: fields.get(5).map_or("/", |home| if home.is_empty() { "/" } else { home }).into(),
    })
}

fn find_user(passwd: &str, wanted: &str) -> Result<User> {
    let wanted = if wanted.is_empty() { "0" } else { wanted };
    let number: Option<u32> = wanted.parse().ok();
    let mut users = passwd.lines().filter_map(parse_user);
    let found = users.find(|user| user.name == wanted || Some(user.id) == number);
    let anonymous = |id| {
        let home = if id == 0 { "/root" } else { "/" };
        User { name: String::new(), id, group: 0, home: home.into() }
    };
    found
        .or(number.map(anonymous))
        .ok_or_else(|| anyhow!("unable to find user {wanted}: no matching entries in passwd file"))
}

/// Returns the name, the number and the members of each group: `name:password:gid:member,member`.
fn groups(group_file: &str) -> impl Iterator<Item = (&str, u32, &str)> {
    group_file.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let number = fields.nth(1)?.parse().ok()?;
        Some((name, number, fields.next().unwrap_or_default()))
    })
}

fn find_group(group_file: &str, wanted: &str) -> Result<u32> {
    let named = groups(group_file).find(|(name, ..)| *name == wanted).map(|(_, number, _)| number);
    let found = named.or_else(|| wanted.parse().ok());
    found.ok_or_else(|| anyhow!("unable to find group {wanted}: no matching entries in group file"))
}

fn groups_of(group_file: &str, user: &str) -> Vec<u32> {
    if user.is_empty() {
        return Vec::new();
    }
    let member = groups(group_file).filter(|(_, _, members)| members.split(',').any(|member| member == user));
    member.map(|(_, number, _)| number).collect()
}

/// The capabilities that containerd gives a container, except `MKNOD`: no cgroup keeps a container of this node from
/// opening the devices that it could create with it.
const DEFAULT_CAPABILITIES: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// Returns the bits of the capabilities that a container may have: the default, `ALL` first, then added names, then
/// dropped names.
pub fn capabilities(security: &Security) -> Result<u64> {
    use rustix::thread::CapabilitySet;
    let set_of = |names: &[String]| -> Result<CapabilitySet> {
        let mut set = CapabilitySet::empty();
        for name in names.iter().filter(|name| !name.eq_ignore_ascii_case("ALL")) {
            let upper = name.to_uppercase();
            let known = CapabilitySet::from_name(&upper);
            ensure!(known.is_some(), "unknown capability \"CAP_{upper}\"");
            set |= known.unwrap_or(CapabilitySet::empty());
        }
        Ok(set)
    };
    let all = |names: &[String]| names.iter().any(|name| name.eq_ignore_ascii_case("ALL"));
    let mut bits = set_of(&DEFAULT_CAPABILITIES.map(String::from))?.bits();
    if all(&security.add_capabilities) {
        bits = u64::MAX;
    }
    if all(&security.drop_capabilities) {
        bits = 0;
    }
    Ok((bits | set_of(&security.add_capabilities)?.bits()) & !set_of(&security.drop_capabilities)?.bits())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn root() -> (tempfile::TempDir, Root) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("etc")).unwrap();
        fs::write(dir.path().join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/app:/bin/sh\n")
            .unwrap();
        fs::write(dir.path().join("etc/group"), "root:x:0:\nstaff:x:50:app,other\nlogs:x:60:\n").unwrap();
        let root = Root::open(dir.path()).unwrap();
        (dir, root)
    }

    #[test]
    fn a_name_brings_its_groups_and_home() {
        let (_dir, root) = root();
        let found = identify(&root, "app", &Security::default()).unwrap();
        assert_eq!(found, Identity { user: 1000, group: 1001, groups: vec![50], home: "/app".into() });
    }

    #[test]
    fn numbers_need_no_entry() {
        let (_dir, root) = root();
        let security = Security { run_as_user: Some(10001), supplemental_groups: vec![7, 3], ..Security::default() };
        let found = identify(&root, "app", &security).unwrap();
        assert_eq!(found, Identity { user: 10001, group: 0, groups: vec![3, 7], home: "/".into() });
    }

    #[test]
    fn an_explicit_group_wins() {
        let (_dir, root) = root();
        assert_eq!(identify(&root, "app:logs", &Security::default()).unwrap().group, 60);
        let security = Security { run_as_group: Some(5), ..Security::default() };
        assert_eq!(identify(&root, "app:logs", &security).unwrap().group, 5);
    }

    #[test]
    fn an_unknown_name_is_an_error() {
        let (_dir, root) = root();
        let error = identify(&root, "nobody-here", &Security::default()).unwrap_err();
        assert_eq!(error.to_string(), "unable to find user nobody-here: no matching entries in passwd file");
    }

    #[test]
    fn capabilities_are_dropped_and_added() {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let with = |add: &[&str], drop: &[&str]| {
            let security =
                Security { add_capabilities: names(add), drop_capabilities: names(drop), ..Security::default() };
            capabilities(&security)
        };
        assert_eq!(with(&["NET_BIND_SERVICE"], &["ALL"]).unwrap(), 1 << 10);
        assert_eq!(with(&[], &["all"]).unwrap(), 0);
        assert_eq!(with(&[], &[]).unwrap() & (1 << 21), 0, "SYS_ADMIN is not a default");
        assert_eq!(with(&[], &["CHOWN"]).unwrap() & 1, 0);
        assert_eq!(with(&["NOSUCH"], &[]).unwrap_err().to_string(), "unknown capability \"CAP_NOSUCH\"");
    }
}
