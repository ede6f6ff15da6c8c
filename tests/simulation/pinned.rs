//! Lives side by side, each with a core to itself.
//!
//! A life is two threads that wait for each other all the time, its own and `SQLite`'s: on one core they
//! hand over to each other for two thirds of what it costs to wake the other core.

/// A core of this machine.
#[derive(Debug, Clone, Copy)]
pub(super) struct Core(#[cfg(target_os = "linux")] usize);

#[cfg(target_os = "linux")]
mod linux {
    use super::Core;
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    /// Those that this process may use.
    pub(in super::super) fn cores() -> Vec<Core> {
        let allowed = sched_getaffinity(None).unwrap();
        let cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
        cores.map(Core).collect()
    }

    impl Core {
        /// From now on this thread, and whatever thread it starts, runs on it alone.
        pub(in super::super) fn take(self) {
            let mut one = CpuSet::new();
            one.set(self.0);
            sched_setaffinity(None, &one).unwrap();
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use super::Core;

    /// As many as there are; which is which cannot be said here.
    pub(in super::super) fn cores() -> Vec<Core> {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        vec![Core(); cores]
    }

    impl Core {
        /// Left to the system.
        pub(in super::super) fn take(self) {}
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) use elsewhere::cores;
#[cfg(target_os = "linux")]
pub(super) use linux::cores;
