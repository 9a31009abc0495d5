//! The system calls that a container may not make, as a filter that the kernel runs.
//!
//! The filter forbids the calls that containerd's default profile forbids and with which a container of this node could
//! do harm: calls that affect the whole kernel (modules, kexec, clocks), that create or enter namespaces and mounts,
//! and interfaces whose bugs have let containers escape (keyrings, `io_uring`, `userfaultfd`, `bpf`). A capability that
//! was added to the container allows its calls again, as in containerd. Calls that this list does not know, including
//! those of the x32 ABI, do not exist for a container; a program of another architecture is killed.

use std::mem::offset_of;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::libc::{self, c_long, seccomp_data, sock_filter, sock_fprog};
use rustix::thread::CapabilitySet as Capability;

/// The values that depend on the architecture.
#[cfg(target_arch = "x86_64")]
mod here {
    use super::{c_long, libc};

    pub const ARCHITECTURE: u32 = 0xc000_003e;
    pub const KEXEC_FILE_LOAD: c_long = 320;
    pub const FORBIDDEN: &[c_long] = &[libc::SYS__sysctl, libc::SYS_sysfs, libc::SYS_uselib, libc::SYS_ustat];
    pub const RAW_IO: &[c_long] = &[libc::SYS_ioperm, libc::SYS_iopl];
}
#[cfg(target_arch = "aarch64")]
mod here {
    use super::c_long;

    pub const ARCHITECTURE: u32 = 0xc000_00b7;
    pub const KEXEC_FILE_LOAD: c_long = 294;
    pub const FORBIDDEN: &[c_long] = &[];
    pub const RAW_IO: &[c_long] = &[];
}

/// `file_setattr` of Linux 6.17: nobody has assessed later calls. The numbers of x32 are far above, too.
const LAST_KNOWN_CALL: u32 = 469;

/// Every namespace except time, which `clone` can't create.
const NAMESPACE_FLAGS: u32 = 0x7e02_0000;

/// Calls that no container may make.
const FORBIDDEN: &[c_long] = &[
    libc::SYS_add_key,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    here::KEXEC_FILE_LOAD,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_nfsservctl,
    libc::SYS_request_key,
    libc::SYS_userfaultfd,
];

/// Calls that need one of these capabilities.
const CAPABLE: &[(Capability, &[c_long])] = &[
    (
        Capability::SYS_ADMIN,
        &[
            libc::SYS_fanotify_init,
            libc::SYS_fsconfig,
            libc::SYS_fsmount,
            libc::SYS_fsopen,
            libc::SYS_fspick,
            libc::SYS_lookup_dcookie,
            libc::SYS_mount,
            libc::SYS_mount_setattr,
            libc::SYS_move_mount,
            libc::SYS_open_tree,
            OPEN_TREE_ATTR,
            libc::SYS_pivot_root,
            libc::SYS_quotactl,
            libc::SYS_quotactl_fd,
            libc::SYS_setdomainname,
            libc::SYS_sethostname,
            libc::SYS_setns,
            libc::SYS_swapoff,
            libc::SYS_swapon,
            libc::SYS_umount2,
            libc::SYS_unshare,
        ],
    ),
    (Capability::SYS_ADMIN.union(Capability::BPF), &[libc::SYS_bpf]),
    (Capability::SYS_ADMIN.union(Capability::PERFMON), &[libc::SYS_perf_event_open]),
    (Capability::SYS_ADMIN.union(Capability::SYSLOG), &[libc::SYS_syslog]),
    (Capability::DAC_READ_SEARCH, &[libc::SYS_open_by_handle_at]),
    (Capability::SYS_BOOT, &[libc::SYS_reboot]),
    (Capability::SYS_MODULE, &[libc::SYS_delete_module, libc::SYS_finit_module, libc::SYS_init_module]),
    (Capability::SYS_PACCT, &[libc::SYS_acct]),
    (Capability::SYS_PTRACE, &[libc::SYS_kcmp, libc::SYS_pidfd_getfd]),
    (Capability::SYS_TIME, &[libc::SYS_clock_settime, libc::SYS_settimeofday]),
    (Capability::SYS_TTY_CONFIG, &[libc::SYS_vhangup]),
    (Capability::SYS_RAWIO, here::RAW_IO),
];

/// Linux 6.15; the number is the same on every architecture.
const OPEN_TREE_ATTR: c_long = 467;

/// Returns whether this kernel supports filters.
pub fn is_available() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| status.contains("\nSeccomp_filters:"))
}

/// Puts this process and everything that it becomes under the filter. It needs `CAP_SYS_ADMIN` in the process's own
/// user namespace: without it the kernel would insist on `no_new_privs`.
pub fn forbid_calls(kept_capabilities: u64) -> Result<()> {
    let mut program = program(Capability::from_bits_retain(kept_capabilities));
    install(&mut program).context("install the seccomp filter")
}

#[expect(unsafe_code, reason = "the kernel copies the program, which lives until the call returns")]
fn install(program: &mut [sock_filter]) -> nix::Result<()> {
    let len = u16::try_from(program.len()).map_err(|_| Errno::E2BIG)?;
    let program = sock_fprog { len, filter: program.as_mut_ptr() };
    // Timing side channels are not the point here: like runc, keep the program fast.
    let flags = libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    let done = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program) };
    Errno::result(done).map(drop)
}

/// Returns the filter of a container with these capabilities.
fn program(kept: Capability) -> Vec<sock_filter> {
    let mut program = vec![
        load(offset_of!(seccomp_data, arch)),
        skip(libc::BPF_JEQ, here::ARCHITECTURE, 1, 0),
        verdict(libc::SECCOMP_RET_KILL_PROCESS),
        load(offset_of!(seccomp_data, nr)),
    ];
    program.extend([skip(libc::BPF_JGT, LAST_KNOWN_CALL, 0, 1), refuse(libc::ENOSYS)]);
    let capable = CAPABLE.iter().filter(|(any_of, _)| !kept.intersects(*any_of)).flat_map(|(_, calls)| *calls);
    for call in FORBIDDEN.iter().chain(here::FORBIDDEN).chain(capable) {
        program.extend([skip(libc::BPF_JEQ, number(*call), 0, 1), refuse(libc::EPERM)]);
    }
    let first_argument = offset_of!(seccomp_data, args);
    if !kept.contains(Capability::SYS_ADMIN) {
        // Its flags are in memory, which a filter can't read: libraries fall back to the older call.
        program.extend([skip(libc::BPF_JEQ, number(libc::SYS_clone3), 0, 1), refuse(libc::ENOSYS)]);
        program.extend([
            skip(libc::BPF_JEQ, number(libc::SYS_clone), 0, 4),
            load(first_argument),
            skip(libc::BPF_JSET, NAMESPACE_FLAGS, 0, 1),
            refuse(libc::EPERM),
            verdict(libc::SECCOMP_RET_ALLOW),
        ]);
    }
    program.extend([
        skip(libc::BPF_JEQ, number(libc::SYS_socket), 0, 3),
        load(first_argument),
        skip(libc::BPF_JEQ, libc::AF_VSOCK.cast_unsigned(), 0, 1),
        refuse(libc::EPERM),
        verdict(libc::SECCOMP_RET_ALLOW),
    ]);
    program
}

fn number(call: c_long) -> u32 {
    u32::try_from(call).unwrap_or(u32::MAX)
}

/// Loads the 32 bits at an offset of the data that the kernel passes about a call; of an argument the lower half, since
/// both architectures are little-endian.
fn load(offset: usize) -> sock_filter {
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, u32::try_from(offset).unwrap_or(u32::MAX))
}

fn verdict(action: u32) -> sock_filter {
    instruction(libc::BPF_RET | libc::BPF_K, action)
}

fn refuse(errno: i32) -> sock_filter {
    verdict(libc::SECCOMP_RET_ERRNO | errno.cast_unsigned())
}

/// Skips one number of instructions if the comparison holds, and another if it doesn't.
fn skip(comparison: u32, value: u32, holds: u8, fails: u8) -> sock_filter {
    let jump = instruction(libc::BPF_JMP | libc::BPF_K | comparison, value);
    sock_filter { jt: holds, jf: fails, ..jump }
}

fn instruction(code: u32, k: u32) -> sock_filter {
    sock_filter { code: u16::try_from(code).unwrap_or(u16::MAX), jt: 0, jf: 0, k }
}

#[cfg(test)]
mod tests {
    use super::*;

    const X32: u32 = 0x4000_0000;

    /// Evaluates the filter as the kernel would; these are all the instructions that it consists of.
    fn run(kept: Capability, architecture: u32, number: u32, first_argument: u32) -> u32 {
        let program = program(kept);
        let (mut at, mut loaded) = (0, 0);
        loop {
            let sock_filter { code, jt, jf, k } = program[at];
            at += 1;
            let holds = match u32::from(code) {
                0x06 => return k,
                0x20 => {
                    loaded = [number, architecture, 0, 0, first_argument][k as usize / 4];
                    continue;
                }
                0x15 => loaded == k,
                0x25 => loaded > k,
                0x45 => loaded & k != 0,
                other => panic!("unknown instruction {other:#x}"),
            };
            at += usize::from(if holds { jt } else { jf });
        }
    }

    fn call(kept: Capability, call: c_long, first_argument: u32) -> u32 {
        run(kept, here::ARCHITECTURE, number(call), first_argument)
    }

    const DENIED: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM.cast_unsigned();
    const ABSENT: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.cast_unsigned();
    const ALLOWED: u32 = libc::SECCOMP_RET_ALLOW;

    #[test]
    fn dangerous_calls_are_denied_and_others_are_allowed() {
        let none = Capability::empty();
        for denied in [libc::SYS_keyctl, libc::SYS_mount, libc::SYS_bpf, libc::SYS_open_by_handle_at, libc::SYS_reboot]
        {
            assert_eq!(call(none, denied, 0), DENIED, "{denied}");
        }
        for allowed in [libc::SYS_read, libc::SYS_execve, libc::SYS_ptrace, libc::SYS_chroot, libc::SYS_mknodat] {
            assert_eq!(call(none, allowed, 0), ALLOWED, "{allowed}");
        }
    }

    #[test]
    fn processes_and_sockets_can_be_created_but_namespaces_cannot() {
        let none = Capability::empty();
        let thread = (libc::CLONE_VM | libc::CLONE_FS | libc::CLONE_FILES).cast_unsigned();
        assert_eq!(call(none, libc::SYS_clone, thread), ALLOWED);
        assert_eq!(call(none, libc::SYS_clone, thread | libc::CLONE_NEWUSER.cast_unsigned()), DENIED);
        assert_eq!(call(none, libc::SYS_clone3, 0), ABSENT);
        assert_eq!(call(none, libc::SYS_socket, libc::AF_INET.cast_unsigned()), ALLOWED);
        assert_eq!(call(none, libc::SYS_socket, libc::AF_VSOCK.cast_unsigned()), DENIED);
    }

    #[test]
    fn a_capability_allows_its_calls_again() {
        assert_eq!(call(Capability::SYS_TIME, libc::SYS_clock_settime, 0), ALLOWED);
        assert_eq!(call(Capability::SYS_TIME, libc::SYS_mount, 0), DENIED);
        assert_eq!(call(Capability::BPF, libc::SYS_bpf, 0), ALLOWED);
        let admin = Capability::SYS_ADMIN;
        for allowed in [libc::SYS_mount, libc::SYS_clone3, libc::SYS_unshare, libc::SYS_bpf] {
            assert_eq!(call(admin, allowed, 0), ALLOWED, "{allowed}");
        }
        assert_eq!(call(admin, libc::SYS_clone, libc::CLONE_NEWNS.cast_unsigned()), ALLOWED);
        assert_eq!(call(Capability::all(), libc::SYS_keyctl, 0), DENIED, "no capability covers the keyrings");
    }

    #[test]
    fn other_numberings_do_not_bypass_the_filter() {
        let none = Capability::empty();
        assert_eq!(run(none, here::ARCHITECTURE, X32 | number(libc::SYS_mount), 0), ABSENT);
        assert_eq!(run(none, here::ARCHITECTURE, LAST_KNOWN_CALL + 1, 0), ABSENT);
        assert_eq!(run(none, 0x4000_0003, 21, 0), libc::SECCOMP_RET_KILL_PROCESS, "mount, as i386 numbers it");
    }
}
