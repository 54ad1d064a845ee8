//! What was typed: arguments and their values, what is said to a line that is wrong, and what may have been meant.

pub(crate) mod arguments;
pub(crate) mod places;
pub(crate) mod program_arguments;
pub(crate) mod since;
pub(crate) mod suggestion;
pub(crate) mod token_arguments;
pub(crate) mod usage;
