//! Whole-system stories, told as an operator would.

mod all_valid;
mod around_0330;
mod crash_points;
mod first_morning;
mod killed;
mod lost_answer;
mod otp_limit;
mod terminal;
mod two_accounts;
mod two_at_once;
mod two_dead_of_six;
mod upstox_down;
mod wrong_app;
mod wrong_clock;
mod wrong_second_factor;
