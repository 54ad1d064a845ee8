//! Whole-system stories, told as an operator would.

mod all_valid;
mod first_morning;
mod killed;
mod terminal;
