//! This machine and this process: clocks, protection of the process, and what a sign-in needs of browser, driver and ports.

pub(crate) mod browser;
pub(crate) mod clock;
pub(crate) mod other_people;
pub(crate) mod process;
pub(crate) mod program_version;
pub(crate) mod requirements;
