//! The contracts of the storage ports, one test for each promise. Whatever stores Vega's state gives an `Installation`
//! and takes all of them with `contract_tests!`. What is about one store alone, its files, its sealing, what is changed
//! behind its back, is that store's to test.

mod contract_fixture;
mod installation;

// Here and not in the macro, where rustfmt would not find them.
mod access;
mod audit;
mod changes;
mod commits;
mod consumers;
mod cooldowns;
mod deliveries;
mod journal;
mod last_failures;
mod lease;
mod otp_ledger;
mod runs;
mod spool;
mod tokens;

pub use self::installation::{Installation, Stores};

/// Names the tests of each module once. One that is not in the list is unreachable, and the build says so.
macro_rules! suite {
    (($dollar:tt) $($module:ident: [$($test:ident,)*])*) => {
        $(
            #[doc(hidden)]
            pub use self::$module::{$($test),*};
        )*

        /// Makes every test of the suite one of this `Installation`.
        #[macro_export]
        macro_rules! contract_tests {
            ($dollar installation:ident) => {
                $(
                    mod $module {
                        use super::$dollar installation;

                        $(
                            #[tokio::test]
                            async fn $test() {
                                $crate::contract::$test::<$dollar installation>().await;
                            }
                        )*
                    }
                )*
            };
        }
    };
}

suite! {
    ($)
    cooldowns: [
        a_closed_account_stays_closed_over_a_restart_until_it_is_opened,
        a_cooldown_does_not_replace_a_stop_but_a_stop_does_a_cooldown,
        one_number_is_closed_once_whatever_the_account_is_called,
        a_cooldown_that_came_later_is_not_opened,
        a_cooldown_from_the_future_is_dated_anew_and_no_other,
    ]
    consumers: [
        what_was_seen_of_consumers_reads_back_by_name,
        what_was_seen_later_of_a_consumer_is_kept,
        who_was_seen_long_ago_is_forgotten,
        a_consumer_stays_stopped_until_it_is_opened,
    ]
    deliveries: [
        a_delivery_is_there_over_a_restart_as_it_was_recorded,
        a_file_has_one_delivery_and_each_change_its_entries,
        a_delivery_is_forgotten_with_its_entry,
        one_process_of_a_machine_delivers,
    ]
    runs: [
        a_run_and_its_steps_read_back_in_order,
        one_run_is_active_at_most,
        a_run_makes_no_move_that_the_domain_refuses,
        a_step_makes_no_move_that_the_domain_refuses,
        a_step_moves_in_an_active_run_only,
        an_incomplete_run_is_taken_up_with_its_steps_in_a_new_order,
        no_other_run_is_taken_up_and_no_step_is_bent,
        steps_of_an_ended_or_unknown_run_do_not_change,
        an_active_run_can_be_asked_to_end_and_no_other,
    ]
    last_failures: [
        the_last_failure_is_the_newest_ends_and_a_later_token_settles_it,
        an_attempt_that_is_closed_after_its_step_tells_how_the_sign_in_failed,
        a_failure_is_told_with_the_attempt_that_ended_last,
        an_unresolved_outcome_that_the_last_attempt_left_is_not_hidden_by_what_the_clock_calls_later,
        a_token_of_an_earlier_sign_in_settles_no_failure,
        the_step_that_ended_last_tells_and_not_the_run_that_began_last,
    ]
    otp_ledger: [
        presses_are_recorded_counted_and_never_doubled,
        a_press_in_the_window_counts_once_and_is_never_refused,
        the_ledger_survives_a_restart,
        setting_the_clock_neither_opens_the_ledger_nor_holds_it,
    ]
    journal: [
        a_code_is_taken_once,
        an_answer_needs_an_intended_exchange_and_comes_once,
        an_answer_that_comes_home_opens_its_attempt_again,
        a_token_that_comes_home_is_stored_and_a_late_one_is_not,
        an_answer_that_comes_too_late_is_refused,
        unfinished_attempts_tell_how_far_they_came,
        an_answer_that_does_not_open_hides_no_other_attempt,
        closing_a_closed_attempt_changes_nothing,
        a_failure_that_no_step_tells_of_is_found,
        the_first_code_of_a_state_is_taken_and_no_other,
        a_delivered_code_is_sent_once,
        a_code_for_a_sign_in_that_ended_comes_too_late,
    ]
    tokens: [
        a_stored_token_reads_back_whole,
        every_api_has_its_newest_token,
        one_unreadable_token_does_not_hide_the_others,
        an_account_is_whose_its_newest_verified_token_is,
        an_adopted_token_follows_the_newest_one,
        an_analytics_token_is_kept_beside_the_others,
        a_stale_generation_is_refused_and_nothing_is_written,
        one_attempt_brings_one_token,
        a_check_keeps_the_first_verdicts_and_touches_only_its_generation,
        checks_that_change_nothing_share_one_entry,
        a_token_is_erased_a_day_after_its_end_and_no_earlier,
        an_extended_token_outlives_its_access_token_by_a_year,
        an_extended_token_goes_when_a_newer_one_came,
        only_an_answer_that_needs_review_is_kept_until_it_is_old,
    ]
    access: [
        keys_stay_over_a_restart_oldest_first,
        a_name_is_free_as_soon_as_no_living_key_has_it,
        a_key_is_revoked_once_and_for_good,
        a_damaged_key_counts_no_more_and_hides_no_other,
        a_damaged_key_is_revoked_once_and_for_good,
        the_latest_use_of_a_key_is_kept,
        a_link_opens_one_session_whoever_asks_at_once,
        a_link_opens_within_its_life_and_never_later,
        a_session_is_seen_touched_and_ended_once,
        a_link_that_is_dead_when_the_next_is_made_is_forgotten,
        a_session_that_is_dead_when_the_next_opens_is_forgotten,
    ]
    commits: [
        a_failed_commit_leaves_nothing,
    ]
    spool: [
        where_no_room_can_be_made_nothing_is_called_kept,
        what_is_kept_is_shown_and_moved_when_the_database_takes_it,
        room_that_is_made_again_leaves_what_is_kept,
        what_the_database_does_not_take_stays_in_the_spool,
        what_the_database_knows_already_is_only_removed,
        a_token_that_is_rejected_in_the_spool_is_rejected_in_its_row,
        a_token_of_a_later_sign_in_is_not_taken_for_the_kept_one_of_its_number,
    ]
    changes: [
        each_commit_is_told_whoever_made_it,
        a_commit_that_comes_while_a_call_waits_ends_it,
        what_goes_into_the_spool_is_told_too,
        a_call_that_is_dropped_has_seen_nothing,
    ]
    lease: [
        the_lease_is_held_once_and_free_when_it_is_given_back,
        who_has_the_lease_is_told_while_it_is_held,
    ]
    audit: [
        an_entry_about_a_token_tells_it_apart_and_does_not_show_it,
        entries_stay_as_they_were_appended_and_in_their_order,
        the_trail_is_read_page_by_page_in_either_order,
        only_what_fits_the_whole_filter_is_read,
        a_trail_that_nobody_changed_is_intact,
    ]
}
