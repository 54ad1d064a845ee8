//! What is to be copied from another machine, for an operator who lacks the key in force.

use std::fmt;
use std::path::PathBuf;

/// A key that this machine lacks, and how it gets here.
#[derive(Debug)]
pub struct KeyToCopy {
    /// The machines that said that they have it.
    pub(crate) machines: Vec<String>,
    /// Where it is to be put here.
    pub(crate) to: PathBuf,
}

impl fmt::Display for KeyToCopy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let from = match &self.machines[..] {
            [] => "the machine where the key was rotated".to_owned(),
            machines => machines.join(" or "),
        };
        write!(
            f,
            "Copy the key file of {from}, by hand and in private, as {} to this machine (chmod 600)",
            self.to.display()
        )
    }
}
