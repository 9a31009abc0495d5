//! The machine that a benchmark runs on.

use std::fs;

/// Describes the machine in one line: processor, number of cores, memory, kernel, and the build of this binary.
pub fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = rustix::system::uname().release().to_string_lossy().into_owned();
    let memory_gb = memory_kb(&read("/proc/meminfo")).map_or(0, |kb| kb / 1_000_000);
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    let model = model(&read("/proc/cpuinfo")).unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    format!("machine: {model}, {cores} cores, {memory_gb} GB, kernel {kernel}; {build} build of the harness")
}

fn model(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn memory_kb(meminfo: &str) -> Option<u64> {
    meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_files_are_parsed() {
        let cpuinfo = "processor\t: 0\nmodel name\t: Some CPU @ 2.8GHz\n\nprocessor\t: 1\nmodel name\t: Some CPU\n";
        assert_eq!(model(cpuinfo).as_deref(), Some("Some CPU @ 2.8GHz"));
        assert_eq!(memory_kb("MemTotal:       24689124 kB\nMemFree: 1 kB\n"), Some(24_689_124));
        assert_eq!((model(""), memory_kb("")), (None, None));
    }

    #[test]
    fn this_machine_has_a_line() {
        assert!(machine().starts_with("machine: ") && machine().contains(" cores, "));
    }
}
