//! Conformance suite: the duties of every store engine, as tests over the trait. An engine's test file is one
//! line: `longhaul_store::store_conformance!(open)`, where `open` makes a fresh store, and opens the same
//! again.

pub mod accounts;
pub mod audit;
pub mod changes;
pub mod claims;
pub mod commands;
pub mod credentials;
pub mod damage;
pub mod flips;
pub mod history;
pub mod line;
pub mod listing;
pub mod lists;
pub mod lost;
pub mod sessions;
pub mod submission;
pub mod support;
pub mod texts;
pub mod workers;
pub mod workflows;

/// Instantiates the suite for an engine. `$fixture` is a type that implements [`support::Fixture`].
#[macro_export]
macro_rules! store_conformance {
    ($fixture:ty; $($module:ident :: $test:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                let mut fixture = <$fixture as $crate::conformance::support::Fixture>::new();
                $crate::conformance::$module::$test(&mut fixture).await;
            }
        )+
    };
    ($fixture:ty) => {
        $crate::store_conformance!($fixture;
            submission::submitted_task_is_read_back,
            submission::submitted_task_survives_reopening,
            submission::key_gives_the_same_task_also_after_reopening,
            submission::key_with_another_request_is_refused,
            submission::concurrent_submissions_with_one_key_make_one_task,
            commands::refused_command_changes_nothing,
            commands::stale_token_is_refused,
            commands::command_on_unknown_task_is_not_found,
            commands::effects_follow_their_commit,
            commands::ended_task_goes_with_its_effects,
            commands::recover_asks_active_tasks_only,
            commands::commands_and_recovery_come_in_any_order,
            commands::due_tasks_are_found,
            commands::outputs_and_attempts_are_kept,
            commands::large_task_is_kept_whole,
            commands::long_ended_task_is_retried,
            commands::change_that_panics_costs_only_its_task,
            commands::posted_change_that_panics_fails_its_attempt,
            changes::every_change_is_in_the_log,
            changes::positions_outlive_a_restart_and_not_their_store,
            lists::lists_agree_with_counting_by_hand,
            listing::generated_lists_agree_with_a_plain_model,
            lists::totals_follow_changes,
            lists::tasks_are_found_by_either_end_of_their_id,
            lists::children_are_listed_in_numbers,
            lists::imported_tasks_come_back_as_they_came,
            lists::import_replaces_imported_and_keeps_own,
            lists::extreme_instants_are_kept_and_sorted,
            texts::nul_is_kept_or_replaced,
            texts::nul_finds_nothing,
            workflows::versions_are_given_and_kept,
            workflows::deleted_workflow_is_out_of_the_list_only,
            audit::each_change_is_noted_once,
            audit::notes_are_found_and_pruned,
            audit::settings_are_kept,
            audit::settings_are_merged,
            history::tasks_are_deleted_by_name,
            history::key_of_a_deleted_task_is_free,
            history::old_tasks_are_purged_in_rounds,
            history::waiting_tasks_rest_and_wake,
            workers::children_are_kept,
            workers::logs_are_kept_in_order_and_bounded,
            claims::locks_are_granted_in_order_of_arrival,
            claims::locks_are_let_go_of_at_the_end,
            claims::places_are_limited,
            line::claims_follow_the_plain_rules,
            credentials::resources_are_held_until_dealt_with,
            credentials::retry_takes_a_new_spec,
            accounts::accounts_are_read_back_also_after_reopening,
            accounts::names_are_compared_without_case,
            accounts::changes_change_what_they_name,
            accounts::last_admin_is_kept,
            accounts::concurrent_demotions_leave_an_admin,
            accounts::epochs_never_come_back,
            accounts::rehash_gives_way_to_a_new_password,
            accounts::api_keys_come_and_go,
            sessions::refresh_tokens_are_kept_until_revoked,
            sessions::refresh_tokens_can_last_longer,
            sessions::refresh_tokens_end_with_what_they_rest_on,
            sessions::sessions_are_found_and_listed,
            sessions::refresh_tokens_are_pruned_in_batches,
            accounts::revision_follows_changes,
        );
    };
}
