//! Whole-system stories, told as an operator would.

mod all_valid;
mod around_0330;
mod back_and_forward;
mod blocked;
mod challenge;
mod closed_window;
mod crash_points;
mod first_morning;
mod killed;
mod lost_answer;
mod no_leaks;
mod nobody_there;
mod other_pages;
mod otp_limit;
mod own_browser;
mod reloaded_page;
mod session_modes;
mod terminal;
mod two_accounts;
mod two_at_once;
mod two_dead_of_six;
mod upstox_down;
mod wrong_app;
mod wrong_clock;
mod wrong_redirect;
mod wrong_second_factor;
