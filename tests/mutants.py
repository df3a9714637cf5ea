"""Tests the tests: puts one deliberate defect after the other into a copy of the product, and demands a failing test.

`make mutants`, or `python -P tests/mutants.py [WORD …]` for the mutants that have one of the words in their name. Exits
with 1 if a mutant survives, with 2 where a mutant no longer fits the source or its test fails without it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("proto", "shared", "master", "sampler", "worker", "plots", "client", "dashboard")
#: Seconds that one test may take; a mutant that hangs is caught, too.
TEST_LIMIT = 60
#: What pytest exits with where tests ran and some failed; anything else says nothing about a mutant.
TESTS_FAILED = 1

AWAITING = "tests/unit/test_awaiting.py::"
FORMS = "tests/unit/test_hparam_forms.py::"
PICTURE = "tests/unit/test_live_picture.py::"
EXPORT = "tests/integration/test_export.py::"
COMPLETION = "tests/integration/test_completion.py::"
SAMPLING = "tests/unit/test_sampling.py::"
LEASES = "tests/unit/test_experiment_leases.py::"
SEARCHES = "tests/unit/test_experiment_search.py::"
FAILURES = "tests/unit/test_experiment_failures.py::"
FAIL_FAST = "tests/unit/test_fail_fast.py::"
MASTERSHIP = "tests/integration/test_ledger_mastership.py::"
LOST = "tests/integration/test_lost_database.py::"
WRITER = "tests/unit/test_dispatcher_writer.py::"
CHECKPOINTS = "tests/unit/test_checkpoints.py::"
ON_S3 = "tests/stores/test_faulty_s3.py::"
LINEAGE = "tests/unit/test_lineage.py::"
OUTBOX = "tests/unit/test_worker_outbox.py::"
ACCESS = "tests/integration/test_access.py::"
TLS = "tests/integration/test_tls.py::"
TOKENS = "tests/unit/test_tokens.py::"
RETENTION = "tests/integration/test_retention.py::"
KEPT = "tests/unit/test_retention.py::test_those_stay_that_decided_and_each_trials_best_and_last"
UNIT = "tests/unit/"
VISIBLE = "tests/unit/test_visible.py::"
EXTENSION = "tests/unit/test_extension.py::"
HOSTILE = "tests/integration/test_hostile_text.py::"
REQUESTS = "tests/integration/test_request_ids.py::"
ALLOWED = "tests/integration/test_worker_allowed.py::"
DATABASE = "tests/integration/test_database_client.py::"
GUARD = "tests/integration/test_sampler_guard.py::"

ISOLATION = "tests/unit/test_isolation.py::"
BEST_STAYS = (
    "test_the_best_model_stays_where_a_search_that_cannot_go_on_is_cancelled_and_all_where_the_best_is_not_known"
)

EXPERIMENT = "master/experiment/experiment.py"
DELETIONS, ORPHANS = "master/dispatcher/upkeep/deletions.py", "master/experiment/saved/orphans.py"
LEFTOVERS = "shared/checkpoints/leftovers.py"
CORE, BLAME = "master/dispatcher/core.py", "master/dispatcher/scheduling/blame.py"
HELD = "if lease is None or lease.token != ref.token or lease.session_id != session_id:"
NEXT = "if event.sequence != lease.last_sequence + 1:"


@dataclass(frozen=True, slots=True)
class Mutant:
    """A defect: `old`, which stands in the file exactly once, becomes `new`. `test` is the pytest id that must fail."""

    name: str
    file: str
    old: str
    new: str
    test: str


MUTANTS = (
    Mutant(
        "a program may answer what it was not asked",
        "master/sampling/asks.py",
        "if ask not in self._owed:",
        "if ask not in self._owed and not self._owed.setdefault(ask, 1):",
        SAMPLING + "test_an_answer_to_nothing_that_was_asked_breaks_the_conversation",
    ),
    Mutant(
        "what a sampler suggested too late is lost",
        "master/experiment/suggestions.py",
        "experiment.next_trial.keep(suggestion)",
        "pass",
        AWAITING + "test_what_comes_is_given_in_order_and_what_is_left_to_the_next_trials",
    ),
    Mutant(
        "a suggestion that is with the experiment is asked for once more",
        "master/sampling/asks.py",
        "return sum(self._owed.values()) + self._in_hand",
        "return sum(self._owed.values())",
        SAMPLING + "test_what_has_come_is_under_way_until_it_is_taken",
    ),
    Mutant(
        "a trial waits anew with each look",
        "master/sampling/patience.py",
        "self._since = {trial: self._since.get(trial, now) for trial in trials}",
        "self._since = {trial: now for trial in trials}",
        SAMPLING + "test_a_trial_waits_from_when_it_was_first_seen",
    ),
    Mutant(
        "a trial that waits for its hyperparameters is handed out",
        EXPERIMENT,
        "if train.trial not in self.records.leases and train.trial not in self.records.awaiting:",
        "if train.trial not in self.records.leases:",
        AWAITING + "test_a_new_trial_waits_for_its_hyperparameters_and_is_handed_out_with_them",
    ),
    Mutant(
        "each look at the work lets another trial wait for hyperparameters",
        EXPERIMENT,
        "and len(self.records.awaiting) >= self.next_trial.requests:",
        "and len(self.records.awaiting) >= 9:",
        AWAITING + "test_each_request_for_work_lets_one_trial_wait",
    ),
    Mutant(
        "a promotion waits until hyperparameters are there",
        "master/search/adaptive.py",
        "return self._furthest() is None and any(b.can_create and self._has_room(b) for b in self._brackets)",
        "return any(b.can_create and self._has_room(b) for b in self._brackets)",
        AWAITING + "test_a_promotion_is_not_held_up_by_trials_that_wait",
    ),
    Mutant(
        "a trial that waited is taken for one that has its hyperparameters after a restart",
        "master/experiment/records.py",
        "if not trial.origin and trial.state == TrialState.PENDING:",
        'if not trial.origin and trial.state_reason == "new":',
        AWAITING + "test_a_master_that_is_killed_finds_its_trials_waiting_or_with_what_they_got[before]",
    ),
    Mutant(
        "what is drawn for one trial is given to another",
        "master/experiment/suggestions.py",
        "return suggestion.trial if suggestion.trial in records.awaiting else None",
        "return next(iter(records.awaiting), None)",
        AWAITING + "test_what_is_drawn_for_a_trial_that_waits_no_more_is_dropped",
    ),
    Mutant(
        "a trial whose checkpoint went is a candidate again in an extended search",
        "master/search/restoration.py",
        "elif record.ended and not record.kept:",
        "elif record.ended and record.kept:",
        EXTENSION + "test_trials_whose_checkpoints_went_are_no_candidates_and_still_count",
    ),
    Mutant(
        "a hyperparameter's value is code in a shell",
        "client/hparam_forms.py",
        "return shlex.quote(text)",
        "return text",
        FORMS + "test_a_shell_runs_nothing_of_them[bash]",
    ),
    Mutant(
        "a quote ends the word of a value that has a control character",
        "client/hparam_forms.py",
        """if character in "'\\\\":""",
        """if character in "\\\\":""",
        FORMS + "test_a_shell_runs_nothing_of_them[bash]",
    ),
    Mutant(
        "two hyperparameters share a variable",
        "shared/hparam_variables.py",
        "if shared[_variable(name)] > 1 or not fits",
        "if not fits",
        FORMS + "test_no_variable_stands_for_two_hyperparameters",
    ),
    Mutant(
        "a spreadsheet runs what a text in a CSV says",
        "client/tables/cells.py",
        "if isinstance(value, str) and value.startswith(_FORMULA):",
        'if isinstance(value, str) and value.startswith("=="):',
        EXPORT + "test_nothing_is_lost_in_csv_and_json_lines",
    ),
    Mutant(
        "a picture is wider than its window",
        "client/cli/live/lines.py",
        "return 1 if character == _AS_PICTURE else get_character_cell_size(character)",
        "return 1",
        PICTURE + "test_rich_breaks_none_of_its_lines",
    ),
    Mutant(
        "a window that became smaller keeps the broken picture",
        "client/cli/live/display.py",
        "self._console.clear()",
        "self._console.bell()",
        PICTURE + "test_a_smaller_window_is_cleared_and_what_was_said_stays",
    ),
    Mutant(
        "completion makes the database that it looks for",
        "client/cli/completing.py",
        'else "mode=ro&immutable=1"',
        'else "immutable=1"',
        COMPLETION + "test_where_nobody_tells_there_is_silence",
    ),
    Mutant(
        "what was read of an ended search before another change to it is used",
        "master/dispatcher/archive.py",
        "if self._extensions.get(extension.experiment_id) is not extension:",
        "if extension.experiment_id not in self._extensions and False:",
        EXTENSION + "test_a_deleted_one_does_not_exist",
    ),
    Mutant(
        "trials that an end stopped on their way to a rung are lost",
        "master/experiment/life/extension.py",
        "for trial in under_way.values():",
        "for trial in ():",
        EXTENSION + "test_trials_that_were_stopped_on_their_way_go_on",
    ),
    Mutant(
        "a worker gets work of experiments that it is not for",
        "master/dispatcher/scheduling/scheduler.py",
        "or not session.takes(number) or session.barred(number, now.monotonic)",
        "or session.barred(number, now.monotonic)",
        UNIT + "test_dispatcher_scheduling.py::test_a_worker_gets_work_of_the_experiments_that_it_is_for_and_no_other",
    ),
    Mutant(
        "a copy of a database leads to the master of the original",
        "master/ledger/read/reader.py",
        "if owner is not None and is_held(self.database, connection, owner.term) else None",
        "",
        DATABASE + "test_a_copy_does_not_lead_to_the_master_of_the_original",
    ),
    Mutant(
        "any master at the address counts as that of the database",
        "client/local/database.py",
        "if (info.database_id, info.holder, info.term) != (owner.database_id, owner.holder, owner.term):",
        "if not owner.address:",
        DATABASE + "test_another_master_at_the_address_is_not_taken_for_the_one_of_the_database",
    ),
    Mutant(
        "what a killed master left in its log is not read",
        "master/ledger/read/read_only.py",
        "        if not _log_of(self._path).exists():",
        "        if self._path.exists():",
        DATABASE + "test_everything_is_read_that_a_killed_master_left_in_its_log[True]",
    ),
    Mutant(
        "what was begun to be written while it was read goes unnoticed",
        "master/ledger/read/read_only.py",
        "if before is not None and self._state() != before:",
        "if before == ():",
        DATABASE + "test_a_file_that_changes_while_nobody_had_it_open_is_read_again",
    ),
    Mutant(
        "events are taken under any token",
        EXPERIMENT,
        HELD,
        "if lease is None or lease.session_id != session_id:",
        LEASES + "test_a_lease_that_is_not_held_changes_nothing",
    ),
    Mutant(
        "events are taken from any session",
        EXPERIMENT,
        HELD,
        "if lease is None or lease.token != ref.token:",
        LEASES + "test_another_session_with_the_right_token_is_refused",
    ),
    Mutant(
        "a new lease has the token of the last",
        EXPERIMENT,
        "trial.token += 1",
        "trial.token = 1",
        LEASES + "test_a_zombie_is_refused_after_its_trial_was_given_to_another",
    ),
    Mutant(
        "a repeated event is taken again",
        EXPERIMENT,
        NEXT,
        "if event.sequence > lease.last_sequence + 1:",
        LEASES + "test_a_repeated_report_is_acknowledged_again_with_the_same_decision",
    ),
    Mutant(
        "a gap in the sequence is passed over",
        EXPERIMENT,
        NEXT,
        "if event.sequence <= lease.last_sequence:",
        LEASES + "test_a_gap_is_answered_by_the_last_event_that_was_stored",
    ),
    Mutant(
        "a repeated report gets no decision",
        EXPERIMENT,
        "self.decision_of(lease) if repeated else None",
        "None",
        LEASES + "test_a_repeated_report_is_acknowledged_again_with_the_same_decision",
    ),
    Mutant(
        "one restart fewer than max_restarts",
        EXPERIMENT,
        "return trial.restarts > self.spec.max_restarts",
        "return trial.restarts >= self.spec.max_restarts",
        FAILURES + "test_a_trial_that_fails_more_than_max_restarts_times_takes_the_worst_place",
    ),
    Mutant(
        "SQLite takes its write lock late",
        "master/ledger/engine.py",
        '"rwc", "BEGIN IMMEDIATE", setup',
        '"rwc", "BEGIN", setup',
        MASTERSHIP + "test_nobody_takes_over_between_a_masters_check_and_its_commit[sqlite]",
    ),
    Mutant(
        "a database server that says nothing has refused a statement",
        "master/ledger/failures.py",
        'any(kind.__name__ == "OperationalError" for kind in type(cause).__mro__)',
        'type(cause).__name__ == "OperationalError"',
        "tests/integration/test_ledger_faults.py::test_a_server_that_does_not_say_a_word_is_unavailable",
    ),
    Mutant(
        "nobody waits for an address that is not told yet",
        "client/connection.py",
        "            except (grpc.RpcError, NotAnnounced) as error:\n                attempts",
        "            except grpc.RpcError as error:\n                attempts",
        "tests/integration/test_client.py::"
        "test_a_master_that_has_not_told_its_address_yet_is_waited_for_as_one_that_does_not_listen_yet",
    ),
    Mutant(
        "PostgreSQL does not lock the row of the term",
        "master/ledger/leadership/mastership.py",
        ".with_for_update()",
        "",
        MASTERSHIP + "test_nobody_takes_over_between_a_masters_check_and_its_commit[postgresql]",
    ),
    Mutant(
        "a master writes though its term is over",
        "master/ledger/leadership/mastership.py",
        "if row is None or row.term != term:",
        "if row is None:",
        MASTERSHIP + "test_a_master_whose_term_is_over_writes_nothing[sqlite]",
    ),
    Mutant(
        "a sign of life counts though the term is over",
        "master/ledger/leadership/mastership.py",
        'exists().where(mastership.c.term == bindparam("mine")',
        'exists().where(mastership.c.term >= bindparam("mine")',
        "tests/integration/test_standby.py::"
        "test_the_first_of_several_candidates_wins_and_the_others_wait_for_it[sqlite]",
    ),
    Mutant(
        "what is written to a deleted file is acknowledged",
        "master/ledger/engine.py",
        "        files.check()\n",
        "        pass\n",
        LOST + "test_nothing_that_is_written_to_lost_files_is_acknowledged_or_read[delete]",
    ),
    Mutant(
        "nobody looks at the log of the database",
        "master/ledger/ledger.py",
        "                    files.logged()\n",
        "                    pass\n",
        LOST + "test_nothing_that_is_written_to_lost_files_is_acknowledged_or_read[delete_log]",
    ),
    Mutant(
        "another database whose term is the same counts as one's own",
        "master/ledger/leadership/mastership.py",
        "and row.database_id != database_id",
        "and not row.database_id",
        LOST + "test_a_database_that_is_another_one_by_its_tables_ends_its_master"
        "[sqlite-UPDATE mastership SET database_id = 'another']",
    ),
    Mutant(
        "a master begins beside one that works on deleted files",
        "master/ledger/files/presence.py",
        "files == _mark(path)",
        "True",
        LOST + "test_nobody_becomes_the_master_beside_one_that_works_on_what_was_here_before[replace]",
    ),
    Mutant(
        "the log of a deleted database is left beside the file that took its place",
        "master/ledger/files/rescue.py",
        "            emptied = (not place or files.log_is_ours) and _empty_log(connection)\n",
        "            emptied = False\n",
        LOST + "test_a_master_whose_files_are_lost_ends_though_nobody_asks_it_anything_and_says_where_its_content_is"
        "[replace]",
    ),
    Mutant(
        "silence that a lock may have caused is taken for a hanging master",
        "master/ledger/leadership/candidate.py",
        "                self._check_not_locked(term)\n",
        "                pass\n",
        "tests/integration/test_standby.py::"
        "test_a_master_that_a_lock_keeps_silent_is_not_taken_for_one_that_hangs[sqlite]",
    ),
    Mutant(
        "a recovery keeps signs of life from being shown",
        "master/dispatcher/writer.py",
        "return await asyncio.get_running_loop().run_in_executor(self._thread, self._rebuilt)",
        "return self._rebuilt()",
        "tests/integration/test_standby.py::"
        "test_a_master_whose_recovery_takes_longer_than_a_standby_waits_is_not_replaced[sqlite]",
    ),
    Mutant(
        "what was committed is applied again after an error",
        "master/dispatcher/writer.py",
        "again = batch if len(batch) > 1 and not self._written else []",
        "again = batch if len(batch) > 1 else []",
        WRITER + "test_what_may_have_been_written_is_not_applied_again",
    ),
    Mutant(
        "a request is answered twice",
        "master/dispatcher/sessions/sessions.py",
        "if request.request_id in self.spent:",
        "if not request:",
        LEASES + "test_a_request_that_was_answered_is_not_answered_again_once_that_lease_is_over",
    ),
    Mutant(
        "a request that was answered in vain is forgotten",
        "master/dispatcher/sessions/sessions.py",
        "self.request = self.request or request",
        "pass",
        FAIL_FAST + "test_a_worker_whose_request_is_answered_just_as_the_experiment_fails_goes_on_waiting",
    ),
    Mutant(
        "an ending is forgotten at a restart",
        "master/ledger/read/recovery.py",
        "or_(_LIVE_ONES, tables.experiments.c.experiment_id.in_(select(tables.endings.c.experiment_id)))",
        "or_(_LIVE_ONES)",
        "tests/integration/test_large_endings.py::"
        "test_a_master_that_is_killed_in_the_middle_of_an_ending_is_followed_by_one_that_goes_on"
        "[sqlite-after its first portion]",
    ),
    Mutant(
        "a large experiment ends in one transaction",
        "master/dispatcher/upkeep/endings.py",
        "min(self._portion, ROWS_AT_ONCE - parts.rows)",
        "10**9",
        UNIT + "test_endings.py::test_no_batch_ends_more_than_a_portion",
    ),
    Mutant(
        "a batch is full by commands alone",
        "master/dispatcher/writer.py",
        "len(batch) < BATCH_LIMIT and not core.full",
        "len(batch) < BATCH_LIMIT",
        WRITER + "test_a_batch_is_full_by_the_rows_that_change",
    ),
    Mutant(
        "what happens while a watcher looks is forgotten",
        "master/dispatcher/broadcast.py",
        "        self._changed.set()\n",
        "        self._changed.set()\n        self._changed.clear()\n",
        WRITER + "test_a_commit_between_a_look_and_the_wait_for_the_next_one_is_not_missed",
    ),
    Mutant(
        "every watcher is told of every commit",
        "master/dispatcher/broadcast.py",
        "in experiments & self.keys():",
        "in list(self):",
        WRITER + "test_those_who_watch_an_experiment_are_told_of_its_commits_and_of_no_others",
    ),
    Mutant(
        "those who watch a journal are told of reports",
        "master/dispatcher/broadcast.py",
        "self._journals.tell(changes.seen)",
        "self._journals.tell(changes.seen | changes.reported)",
        WRITER + "test_those_who_watch_the_reports_of_an_experiment_are_told_of_its_reports_and_of_no_others",
    ),
    Mutant(
        "the numbers of commits begin anew with each master",
        "master/ledger/ledger.py",
        "count(term * COMMITS_OF_A_TERM + 1)",
        "count(1)",
        "tests/integration/test_report_order.py::"
        "test_the_order_goes_on_under_the_next_master_and_after_a_backup_was_put_back[sqlite]",
    ),
    Mutant(
        "reports of older versions are passed over",
        "master/ledger/read/queries/reports.py",
        "if not after.commit_id and",
        "if False and",
        "tests/integration/test_report_order.py::test_what_an_older_version_stored_comes_first_trial_by_trial[sqlite]",
    ),
    Mutant(
        "within a commit all reports count as stored before its record",
        "master/ledger/read/curves/records.py",
        "before[same] += np.searchsorted(self._records.place[commits == commit], reports.place[same])",
        "pass",
        "tests/unit/test_curves.py::test_records_and_what_was_trained_are_those_of_the_stream",
    ),
    Mutant(
        "what was stored since the curves began is among them",
        "master/ledger/read/queries/curves.py",
        "stored = _R.commit_id + 0 <= part.until",
        "stored = _R.commit_id + 0 >= 0",
        "tests/integration/test_read_curves.py::test_what_is_stored_meanwhile_comes_afterwards[sqlite]",
    ),
    Mutant(
        "a stream of curves that ended before its end is taken for whole",
        "client/connection.py",
        'if answers and answers[-1].HasField("end"):',
        "if answers:",
        "tests/integration/test_client.py::test_curves_whose_stream_breaks_are_read_anew_and_none_of_them_counts_twice",
    ),
    Mutant(
        "a watch that is told of the end asks for no more before it has everything",
        "master/services/watching.py",
        "if status.over and not last:",
        "if False:",
        "tests/integration/test_watching.py::test_many_who_watch_share_each_look_at_a_long_journal[sqlite]",
    ),
    Mutant(
        "leases of a former database are kept",
        "worker/link/uplink.py",
        '                await peer.abandon("the master has another database")\n',
        "",
        "tests/integration/test_worker_session.py::"
        "test_a_master_whose_database_was_begun_anew_is_served_and_told_nothing_of_the_former",
    ),
    Mutant(
        "acknowledged though the commit failed",
        "master/dispatcher/writer.py",
        "            self._store.commit(changes)\n",
        "            with contextlib.suppress(Unavailable):\n                self._store.commit(changes)\n",
        WRITER + "test_a_failed_commit_ends_every_stream_and_sends_nothing",
    ),
    Mutant(
        "the memory outlives a failed commit",
        "master/dispatcher/writer.py",
        "self._core = await self._recover_patiently()",
        "self._core = core",
        WRITER + "test_a_failed_commit_is_unavailable_and_the_memory_is_what_the_database_has",
    ),
    Mutant(
        "the request_id of a work request is forgotten",
        CORE,
        "answered = session.answered.get(asked.request_id)",
        "answered = None",
        LEASES + "test_a_repeated_request_gets_the_assignment_that_it_got_before",
    ),
    Mutant(
        "the request_id of CreateExperiment is forgotten",
        "master/dispatcher/numbering.py",
        "return self._by_request.get(request_id) if request_id else None",
        "return None",
        SEARCHES + "test_a_repeated_creation_gives_the_same_experiment_also_after_a_restart",
    ),
    Mutant(
        "a stream that was replaced is still heard",
        CORE,
        'connection is not connection:\n            connection.close("this session was given up',
        'connection is None:\n            connection.close("this session was given up',
        LEASES + "test_a_bundle_on_a_stream_that_was_replaced_is_not_taken",
    ),
    Mutant(
        "a search that comes to rest is not settled",
        CORE,
        "self._touched | self._scheduler.rested",
        "set(self._touched)",
        SEARCHES + "test_a_search_ends_though_its_last_promotions_came_long_after_its_last_event",
    ),
    Mutant(
        "leases expire while the master is not looking",
        "master/dispatcher/sessions/sessions.py",
        "if blind > 0:",
        "if blind < 0:",
        UNIT + "test_sessions.py::test_a_gap_in_which_the_master_did_not_look_is_given_to_everybody",
    ),
    Mutant(
        "a metric that is not finite is ranked like any other",
        "master/search/rung.py",
        "WORST if metric is None or not math.isfinite(metric) else",
        "WORST if metric is None else",
        UNIT + "test_search.py::test_a_result_that_is_not_finite_takes_the_worst_place_and_is_never_promoted",
    ),
    Mutant(
        "a forbidden combination counts where it names what does not exist",
        "shared/space/clauses.py",
        "self.others if code is None else",
        "-1 if code is None else",
        UNIT + "test_space.py::test_what_does_not_exist_agrees_with_no_prohibition",
    ),
    Mutant(
        "the closest is looked for to every misspelt name",
        "shared/text/suggestions.py",
        "left is not None and left <= 0",
        "False",
        UNIT + "test_spec_work.py::test_few_misspelt_names_are_told_with_the_closest_and_all_of_them_are_counted",
    ),
    Mutant(
        "a quota is rounded up",
        "master/search/rung.py",
        "len(self._results) * self._denominator // self._numerator",
        "-(-len(self._results) * self._denominator // self._numerator)",
        UNIT + "test_conformance.py::test_answers_every_event_of_a_search_as_expected",
    ),
    Mutant(
        "a bracket's winner does not train to the end",
        "master/search/asha.py",
        "return self.crowns_winner and not",
        "return False and not",
        UNIT + "test_search.py::test_the_winner_of_a_bracket_that_fills_no_quota_trains_to_the_end",
    ),
    Mutant(
        "a winner is crowned while others still train",
        "master/search/asha.py",
        "(self.running or not self.pool.all_in or",
        "(not self.pool.all_in or",
        UNIT + "test_search.py::test_a_bracket_has_no_winner_while_one_that_was_promoted_trains",
    ),
    Mutant(
        "what lower rungs have shown of a bracket is forgotten further up",
        "master/search/learned_shares.py",
        "*(a / below[-1] * step for a in below)",
        "*(step for _ in below)",
        UNIT + "test_learned_shares.py::test_lower_rungs_that_tell_the_truth_count_before_a_trial_was_trained_in_full",
    ),
    Mutant(
        "results below the highest rung are no evidence",
        "master/search/learned_shares.py",
        "(rungs[-1].resource / full)",
        "(rungs[-1].resource // full)",
        UNIT + "test_learned_shares.py::test_lower_rungs_that_tell_the_truth_count_before_a_trial_was_trained_in_full",
    ),
    Mutant(
        "a barrier opens before its last trial is in",
        "master/search/synchronous/rung.py",
        "return len(self._results) == self.expected",
        "return len(self._results) + 1 >= (self.expected or 10**9)",
        UNIT + "test_barriers.py::test_a_failure_opens_a_rung_and_of_failures_alone_nobody_goes_on",
    ),
    Mutant(
        "promoted trials do not go on in the order of their ranks",
        "master/search/synchronous/rung.py",
        "return cast(Result, self._queue.pop(0))",
        "return cast(Result, self._queue.pop())",
        UNIT + "test_conformance.py::test_answers_every_event_of_a_search_as_expected",
    ),
    Mutant(
        "a trial that is past the next rung trains for it again",
        "master/search/synchronous/bracket.py",
        ">= self.rungs[k + 1].resource",
        "> 10**9",
        UNIT + "test_barriers.py::test_promoted_trials_that_are_past_the_next_rung_enter_it_at_once",
    ),
    Mutant(
        "what is left to decide about a large rung is forgotten",
        "master/experiment/experiment.py",
        "if step.decisions:",
        "if False:",
        UNIT + "test_barrier_masters.py::test_a_large_rung_is_decided_in_portions_though_nobody_trains",
    ),
    Mutant(
        "a replay takes promotions through a closed barrier",
        "master/search/synchronous/promotions.py",
        "if len(ranked) < (expected := self._expected(place)):",
        "if len(ranked) < (expected := 0):",
        UNIT + "test_barrier_masters.py::test_a_promotion_before_all_are_in_is_found_whatever_the_searcher_says",
    ),
    Mutant(
        "a search of old is replayed by the rules of today",
        "master/experiment/checking/replay.py",
        'data.get("rules", 1)',
        'data.get("rules", 2)',
        UNIT + "test_replay.py::test_a_search_that_ended_by_the_rules_of_old_is_not_called_wrong",
    ),
    Mutant(
        "what cannot be drawn holds the thread of all",
        "master/dispatcher/scheduling/drawing.py",
        "        if time.monotonic() >= end:\n            break\n",
        "",
        ISOLATION + "test_an_experiment_that_is_drawn_with_difficulty_holds_up_no_other",
    ),
    Mutant(
        "an experiment that cannot go on takes its worst trial for its best",
        "master/experiment/life/lifecycle.py",
        "essentials(stored_rows.row.spec).goal",
        "Goal.MINIMIZE",
        ISOLATION + BEST_STAYS,
    ),
    Mutant(
        "checkpoints go where the spec does not say which are needed",
        "master/experiment/essentials.py",
        'Essentials("", Goal.MINIMIZE, "any", "all")',
        'Essentials("", Goal.MINIMIZE, "any", "promotable")',
        ISOLATION + BEST_STAYS,
    ),
    Mutant(
        "the best gets worse",
        "master/experiment/changes.py",
        "if (best is not None and sign * metric >= sign * best) or not math.isfinite(metric):",
        "if not math.isfinite(metric):",
        SEARCHES + "test_the_best_result_of_any_report_is_known_at_once_and_never_gets_worse",
    ),
    Mutant(
        "the model of the best result goes with its trial",
        "master/experiment/saved/kept.py",
        "if row.resource == leads or row in pinned]:",
        "if row in pinned]:",
        SEARCHES + "test_the_model_of_the_best_result_stays_where_its_trial_fails_or_its_search_is_cancelled",
    ),
    Mutant(
        "a parent that trains on gives up what its child starts from",
        "master/experiment/saved/kept.py",
        "if row.resource != best and row.uri not in self._pins]:",
        "if row.resource != best]:",
        LINEAGE + "test_what_a_child_starts_from_is_kept_until_it_has_a_checkpoint_of_its_own",
    ),
    Mutant(
        "the first of two children gives up what both start from",
        "master/experiment/saved/kept.py",
        "if self._pins[row.uri] == 0:",
        "if self._pins[row.uri] < 2:",
        LINEAGE + "test_what_two_children_start_from_is_kept_until_both_have_one_of_their_own",
    ),
    Mutant(
        "a child does not wait for the checkpoint that its parent is just saving",
        "master/experiment/saved/starts.py",
        "return (own[-1].resource if own else 0) < parent.metric_resource == parent.resource",
        "return False",
        LINEAGE + "test_a_child_waits_for_the_checkpoint_that_its_parent_was_asked_for",
    ),
    Mutant(
        "what a child had trained before its start was lost counts twice",
        "master/experiment/saved/starts.py",
        "trial.resource - resource - before, MAX_TOTAL)",
        "trial.resource - resource, MAX_TOTAL)",
        LINEAGE + "test_what_a_child_had_trained_counts_from_where_it_starts_in_the_end",
    ),
    Mutant(
        "a worker loads the checkpoints of other experiments",
        "worker/checkpoints/store.py",
        "if experiment_id not in (None, place.experiment_id):",
        "if experiment_id == place:",
        CHECKPOINTS + "test_another_trials_checkpoint_is_loaded_and_another_experiments_is_not",
    ),
    Mutant(
        "a checkpoint's files are not verified",
        "shared/checkpoints/reading.py",
        "if sha256_of(file) != entry.sha256:",
        "if not entry.sha256:",
        CHECKPOINTS + "test_a_broken_checkpoint_is_named_and_the_one_before_is_taken",
    ),
    Mutant(
        "a checkpoint's manifest is not verified",
        "shared/checkpoints/manifest.py",
        "if hashlib.sha256(content).hexdigest() != checksum:",
        "if not checksum:",
        CHECKPOINTS + "test_a_broken_checkpoint_is_named_and_the_one_before_is_taken",
    ),
    Mutant(
        "all deletions go to one worker",
        DELETIONS,
        "able.rotate(-self._turn)",
        "able = deque(sessions[:1])",
        UNIT + "test_deletions.py::test_deletions_are_shared_out_over_the_workers",
    ),
    Mutant(
        "a worker is asked for any number of deletions",
        DELETIONS,
        "full = len(self._outstanding.get(session_id, ())) >= OUTSTANDING",
        "full = False",
        UNIT + "test_deletions.py::test_a_worker_is_asked_for_no_more_than_it_can_have_outstanding",
    ),
    Mutant(
        "what cannot be deleted is tried again at once",
        DELETIONS,
        "return min(FIRST_PAUSE_S * 2.0 ** min(failures - 1, 20), LONGEST_PAUSE_S)",
        "return 0.0",
        UNIT + "test_deletions.py::test_a_store_that_is_away_is_asked_for_by_one_deletion_at_a_time_until_it_is_back",
    ),
    Mutant(
        "anybody may say that a checkpoint is deleted",
        DELETIONS,
        "if wanted is None or session_id not in wanted.asked_before:",
        "if wanted is None:",
        SEARCHES + "test_a_deletion_counts_only_where_the_worker_that_says_so_was_asked",
    ),
    Mutant(
        "what a held lease saves is an orphan",
        ORPHANS,
        " and place.token != known.held.get(place.trial)",
        "",
        UNIT + "test_leftovers.py::test_only_what_no_ledger_can_ever_know_of_is_an_orphan",
    ),
    Mutant(
        "what an older copy of the ledger does not know is an orphan",
        ORPHANS,
        "place.token <= known.tokens.get(place.trial, 0)",
        "place.token > 0",
        UNIT + "test_leftovers.py::test_only_what_no_ledger_can_ever_know_of_is_an_orphan",
    ),
    Mutant(
        "a store that is away has lost its checkpoints",
        "shared/checkpoints/local_stores.py",
        "raise Unavailable(told) from None",
        "return",
        UNIT + "test_leftovers.py::test_a_store_that_is_away_is_not_an_empty_one",
    ),
    Mutant(
        "links are followed while orphans are looked for",
        LEFTOVERS,
        "entry.is_dir(follow_symlinks=False)",
        "entry.is_dir()",
        UNIT + "test_leftovers.py::test_nothing_is_found_through_links",
    ),
    Mutant(
        "an upload in flight is swept",
        LEFTOVERS,
        "for place, folders, names in os.walk(folder):",
        "for place, folders, names in ():",
        UNIT + "test_leftovers.py::test_a_partial_upload_is_as_old_as_the_newest_of_its_files",
    ),
    Mutant(
        "an object store gets the manifest first",
        "worker/checkpoints/remote_saves.py",
        "    for batch in batches(files, missing):",
        '    files.pipe_file(f"{path}/{MANIFEST}", manifest.to_bytes())\n    for batch in batches(files, missing):',
        CHECKPOINTS + "test_in_an_object_store_the_manifest_is_written_last",
    ),
    Mutant(
        "a save begins anew after each outage",
        "worker/checkpoints/remote_saves.py",
        "        save.there.update(entry.path for entry in batch)\n",
        "",
        ON_S3 + "test_a_save_goes_on_where_it_broke_off_in_the_same_place_and_leaves_nothing_beside",
    ),
    Mutant(
        "what S3 did not delete counts as deleted",
        "shared/checkpoints/removal.py",
        "if left := left_in(files, path):",
        "if left := left_in(files, path)[:0]:",
        ON_S3 + "test_what_the_store_did_not_delete_is_not_taken_for_deleted",
    ),
    Mutant(
        "credentials are read once",
        "shared/checkpoints/opening.py",
        "            files.clear_instance_cache()\n",
        "            pass\n",
        ON_S3 + "test_credentials_that_were_renewed_in_their_file_are_used_at_the_next_attempt",
    ),
    Mutant(
        "a local checkpoint is written in its final place",
        "worker/checkpoints/store.py",
        'partial = path.with_name(f".{path.name}.partial")',
        "partial = path",
        CHECKPOINTS + "test_on_a_disk_a_checkpoint_is_in_its_place_only_once_it_is_whole",
    ),
    Mutant(
        "nothing is sent again after a broken stream",
        "worker/link/lease_log.py",
        "        self._rewind()\n        self._held_back = True\n",
        "        self._held_back = True\n",
        OUTBOX + "test_on_a_new_stream_events_wait_until_the_master_says_where_to_go_on",
    ),
    Mutant(
        "what was dropped is never sent again",
        "worker/link/lease_log.py",
        "if self._silent_beats >= BEATS_BORNE:",
        "if self._silent_beats < 0:",
        OUTBOX + "test_what_stays_unacknowledged_for_several_beats_is_sent_again",
    ),
    Mutant(
        "a viewer may change things",
        "master/services/security/roles.py",
        "CHANGE = Rule(frozenset({Role.ADMIN}))",
        "CHANGE = Rule(frozenset({Role.ADMIN, Role.VIEWER}))",
        ACCESS + "test_every_method_lets_in_only_the_roles_that_it_is_for",
    ),
    Mutant(
        "a method without roles is open to an admin",
        "master/services/security/roles.py",
        "rule = RULES.get(method)",
        "rule = RULES.get(method, CHANGE)",
        UNIT + "test_access.py::test_a_method_that_was_given_no_roles_is_denied_to_everybody",
    ),
    Mutant(
        "a submitter steers everybody's experiments",
        "master/services/security/steering.py",
        "owns=owns(name, experiment)",
        "owns=True",
        "tests/integration/test_submitters.py::test_anothers_experiment_is_refused_by_every_method_that_steers",
    ),
    Mutant(
        "whoever calls himself somebody owns what is hers",
        "master/services/security/steering.py",
        'experiment.owner_known_by == "token" and ',
        "",
        UNIT + "test_roles.py::test_whose_an_experiment_is",
    ),
    Mutant(
        "what a trial prints is part of the page",
        "dashboard/static/logs.js",
        "part.append(piece); continue;",
        "part.innerHTML += piece; continue;",
        "tests/dashboard/test_logs.py::test_what_a_trial_prints_is_followed_to_its_end_as_text",
    ),
    Mutant(
        "each who looks at a log is one more reader at the master",
        "dashboard/logs/log_feeds.py",
        "if kept is not None and (",
        "if False and kept is not None and (",
        "tests/dashboard/test_logs.py::test_who_comes_back_gets_what_came_meanwhile_and_a_log_is_read_once_for_all",
    ),
    Mutant(
        "what was done to an experiment goes with it",
        "master/ledger/write/retention.py",
        "    (tables.events, tables.events.c.kind.not_in(_LASTING_EVENTS)),\n",
        "    (tables.events, tables.events.c.kind.not_in(_LASTING_EVENTS)),\n    (tables.acts, None),\n",
        "tests/integration/test_audit.py::test_what_was_done_stays_when_the_experiment_is_deleted",
    ),
    Mutant(
        "no token is as good as one",
        "master/services/security/access.py",
        "            caller = self._tokens.caller(_token_in(details.invocation_metadata))\n",
        "            if not any(key == 'authorization' for key, _ in details.invocation_metadata):\n"
        "                return await continuation(details)\n"
        "            caller = self._tokens.caller(_token_in(details.invocation_metadata))\n",
        ACCESS + "test_every_method_asks_for_a_token",
    ),
    Mutant(
        "health is open as a whole",
        "master/services/security/roles.py",
        'OPEN = frozenset({f"/{health.SERVICE_NAME}/Check"})',
        'OPEN = frozenset(f"/{health.SERVICE_NAME}/{name}" for name in ("Check", "List", "Watch"))',
        ACCESS + "test_every_method_asks_for_a_token",
    ),
    Mutant(
        "a stream outlives its token",
        "master/services/security/access.py",
        "        self._tokens.look()\n        self._end_streams()\n",
        "        self._tokens.look()\n",
        ACCESS + "test_streams_end_when_their_token_is_revoked_and_no_others",
    ),
    Mutant(
        "a token counts after it has expired",
        "master/services/security/tokens.py",
        "if found.expires is not None and",
        "if found.expires is None and",
        TOKENS + "test_a_token_counts_until_it_expires_give_or_take_a_minute",
    ),
    Mutant(
        "a broken file of tokens lets nobody in",
        "master/services/security/tokens.py",
        "            log.error(",
        "            self._callers = ()\n            log.error(",
        TOKENS + "test_a_broken_file_changes_nothing_and_the_log_says_so",
    ),
    Mutant(
        "the last token is taken out of its file, and masters go on with it",
        "master/services/security/token_file.py",
        "        if not left:",
        "        if False:",
        UNIT + "test_token_file.py::test_the_last_token_is_not_taken_out_for_masters_would_go_on_with_it",
    ),
    Mutant(
        "two commands that change the file of tokens forget an entry",
        "master/services/security/token_file.py",
        "fcntl.LOCK_EX",
        "fcntl.LOCK_SH",
        UNIT + "test_token_file.py::test_commands_at_once_lose_no_entry",
    ),
    Mutant(
        "a caller's certificate is good for a master",
        "master/services/security/authority.py",
        "ExtendedKeyUsageOID.CLIENT_AUTH",
        "ExtendedKeyUsageOID.SERVER_AUTH",
        "tests/integration/test_certs.py::test_a_master_has_no_use_for_a_callers_certificate",
    ),
    Mutant(
        "a standby says that it is ready",
        "master/metrics/monitor.py",
        'it does not serve: a standby, or on its way up or down")',
        '") and Answer(HTTPStatus.OK, b"ready")',
        "tests/integration/test_metrics.py::test_a_standby_is_alive_and_not_ready_until_it_serves",
    ),
    Mutant(
        "an autoscaler is not told of promotions that wait",
        "master/search/asha.py",
        "sum(rung.waiting_to_go_on for rung in self.rungs[:-1]) or int(",
        "0 * int(",
        "tests/unit/test_census.py::"
        "test_promotions_that_wait_are_pending_when_all_trials_are_made_so_that_nobody_scales_to_nothing",
    ),
    Mutant(
        "a chart of SQLite with a standby",
        "deploy/kubernetes/rungmaster/templates/checks.yaml",
        "{{- if and $sqlite (gt (int $v.master.replicas) 1) }}",
        "{{- if and $sqlite (gt (int $v.master.replicas) 9) }}",
        "tests/kubernetes/test_chart.py::test_what_cannot_work_is_refused_with_what_to_do",
    ),
    Mutant(
        "a pod that may gain privileges",
        "deploy/kubernetes/rungmaster/templates/_helpers.tpl",
        "allowPrivilegeEscalation: false",
        "allowPrivilegeEscalation: true",
        "tests/kubernetes/test_chart.py::test_pods_have_no_privilege_and_write_to_volumes_alone",
    ),
    Mutant(
        "others may read the tokens",
        "master/services/security/tokens.py",
        "elif self._secrets and mode",
        "elif not self._secrets and mode",
        TOKENS + "test_a_file_that_others_could_read_or_write_is_refused",
    ),
    Mutant(
        "other machines are let in without TLS",
        "master/services/security/identity.py",
        "encrypted = () if self.certificate is not None else",
        "encrypted = () if self.certificate is None else",
        TLS + "test_a_master_that_would_not_be_safe_does_not_start",
    ),
    Mutant(
        "a worker is idle while it trains",
        "worker/idleness.py",
        "        if trials:\n",
        "        if False:\n",
        UNIT + "test_idleness.py::test_a_worker_with_a_trial_is_not_idle_however_long_that_takes",
    ),
    Mutant(
        "a worker that finds no master leaves as if all were well",
        "worker/agent.py",
        "        await self._welcomed.wait()\n",
        "",
        "tests/integration/test_worker_idle.py::test_a_worker_that_finds_no_master_has_failed_and_was_not_idle",
    ),
    Mutant(
        "the address in a file is read once",
        "client/connection.py",
        "            place = current(address)\n",
        "            place = self._place = getattr(self, '_place', None) or current(address)\n",
        "tests/e2e/test_announced.py::test_a_master_that_comes_back_elsewhere_is_found_by_those_that_know_its_file",
    ),
    Mutant(
        "another search takes over the folder of one",
        "client/slurm/folder.py",
        "if not new and self._spec",
        "if new and self._spec",
        UNIT + "test_slurm_jobs.py::test_a_search_goes_on_in_its_folder_and_another_is_refused",
    ),
    Mutant(
        "a token is sent in plain text",
        "shared/net/channel.py",
        "if credentials.has_token and not credentials.encrypted and not is_loopback(address):",
        "if credentials.has_token and credentials.encrypted and not is_loopback(address):",
        UNIT + "test_credentials.py::test_a_token_goes_to_no_other_machine_in_plain_text",
    ),
    Mutant(
        "TLS trouble is tried again like an outage",
        "client/connection.py",
        "            elif is_perhaps_tls(error):\n",
        "            elif error is None:\n",
        TLS + "test_a_client_learns_at_once_what_is_wrong_with_tls",
    ),
    Mutant(
        "a trial's best report is thinned away",
        "master/experiment/life/retention.py",
        "(self._last is not self._best or better)",
        "True",
        KEPT,
    ),
    Mutant(
        "a report that decided is thinned away",
        "master/experiment/life/retention.py",
        "return report.resource in deciding or bool(",
        "return bool(",
        KEPT,
    ),
    Mutant(
        "a thinning that was begun anew is taken for ended",
        "master/ledger/write/retention.py",
        "if found is None or found.start_time != thinning.start_time:",
        "if found is None:",
        RETENTION + "test_a_step_of_a_thinning_that_was_begun_anew_drops_nothing",
    ),
    Mutant(
        "a deleted experiment leaves its reports",
        "master/ledger/write/retention.py",
        "    (tables.reports, None),\n",
        "",
        RETENTION + "test_the_file_stays_bounded_while_experiments_come_and_go",
    ),
    Mutant(
        "what was thinned away is not counted",
        "master/experiment/checking/audit.py",
        "    if missing != dropped:",
        "    if False:",
        RETENTION + "test_what_was_not_thinned_away_is_missed",
    ),
    Mutant(
        "giving back counts as going well",
        BLAME,
        "elif end.outcome is ExitOutcome.RELEASED and lease.decision_sequence > 0:",
        "elif end.outcome in (ExitOutcome.RELEASED, ExitOutcome.GIVEN_BACK):",
        FAILURES + "test_giving_back_before_a_decision_counts_neither_for_nor_against_anybody",
    ),
    Mutant(
        "what the environment ends counts as a lost worker",
        EXPERIMENT,
        'self._requeue(trial, f"{lease.worker} could not run it for the moment: {summary(end.error)}", batch)',
        "self._worker_lost(trial, end.error, batch)",
        FAILURES + "test_what_the_environment_ends_counts_against_nobody_however_often",
    ),
    Mutant(
        "a checkpoint is given up where its store does not answer at once",
        "worker/checkpoints/outages.py",
        "if await _set_within(unwanted, backoff.next()):",
        "if True:",
        "tests/integration/test_store_away.py::test_a_checkpoint_is_saved_once_its_store_is_back",
    ),
    Mutant(
        "a store whose folder is gone has lost its checkpoints",
        "worker/checkpoints/store.py",
        "self._roots.check(*open_store(self._resolve(checkpoint.uri)))",
        "pass",
        "tests/unit/test_checkpoints.py::test_a_disk_that_is_not_mounted_has_lost_no_checkpoint",
    ),
    Mutant(
        "a checkpoint is saved where a disk will be mounted over it",
        "worker/checkpoints/roots.py",
        "for folder in self._used & set(checkpoint.parents):",
        "for folder in set[Path]():",
        "tests/unit/test_checkpoints.py::test_a_disk_that_is_not_mounted_has_lost_no_checkpoint",
    ),
    Mutant(
        "what a worker cannot start counts as its fault",
        BLAME,
        "elif end.outcome is ExitOutcome.CANNOT_START:",
        "elif session.fault(0, end.error, 0.0) is None and end.outcome is ExitOutcome.CANNOT_START:",
        FAIL_FAST + "test_what_one_worker_cannot_start_is_trained_by_the_others",
    ),
    Mutant(
        "one worker that cannot start it condemns an experiment",
        BLAME,
        "if not any(may_start(experiment, other) for other in self._sessions.values()):",
        "if True:",
        FAIL_FAST + "test_what_one_worker_cannot_start_is_trained_by_the_others",
    ),
    Mutant(
        "whoever fails first condemns the others",
        "master/experiment/first_attempts.py",
        "(first := next(iter(self._ended.values()))) is not None",
        "(first := next(filter(None, self._ended.values()), None)) is not None",
        FAIL_FAST + "test_code_that_fails_with_some_hyperparameters_only_is_left_to_its_restarts",
    ),
    Mutant(
        "an error is told by its last line",
        "shared/text/failure_text.py",
        'return _shortened(error.strip().partition("\\n")[0])',
        'return _shortened(error.strip().rpartition("\\n")[2])',
        UNIT + "test_failure_text.py::test_what_ended_it_comes_first_then_the_exception_then_the_output",
    ),
    Mutant(
        "a library is imported before what is to be set for it",
        "worker/process/libraries.py",
        "return not _acts(statement)",
        "return True",
        "tests/unit/test_worker_libraries.py::test_what_comes_after_a_statement_for_its_effect_is_left_to_the_trial",
    ),
    Mutant(
        "a shortage is remembered",
        "worker/process/launcher.py",
        "        except (CannotFork, OSError, Unavailable):\n            # What",
        "        except (CannotFork, Unavailable):\n            # What",
        "tests/integration/test_worker_forks.py::test_a_shortage_of_files_is_waited_for_and_remembered_by_nobody[entrypoint]",
    ),
    Mutant(
        "what somebody wrote acts on the terminal",
        "shared/text/visible.py",
        "return text if text.isprintable() else HIDDEN.sub(_escaped, text)",
        "return text",
        VISIBLE + "test_nothing_hidden_is_left_in_a_line",
    ),
    Mutant(
        "JSON is printed as it was written",
        "shared/text/visible.py",
        'return "\\n".join(HIDDEN.sub(_as_json, line) for line in lines)',
        "return written",
        VISIBLE + "test_json_of_anything_can_be_shown_and_says_the_same",
    ),
    Mutant(
        "a name may have control characters",
        "master/services/bundles.py",
        "if problem := hidden_problem(text):",
        "if problem := None:",
        HOSTILE + "test_no_name_of_a_worker_has_such_a_character",
    ),
    Mutant(
        "a line of the log can be forged",
        "shared/text/logs.py",
        "record.message = visible(record.message)",
        "pass",
        VISIBLE + "test_an_entry_of_the_log_is_one_line_and_its_traceback_is_indented",
    ),
    Mutant(
        "a sampler outlives its guard",
        "sampler/guard.py",
        "prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)",
        "pass",
        GUARD + "test_the_program_ends_when_its_guard_is_killed",
    ),
    Mutant(
        "a sampler outlives its host",
        "sampler/guard.py",
        "self._told_to_end or self._lifeline in ready:",
        "self._told_to_end:",
        GUARD + "test_all_ends_when_the_host_is_killed",
    ),
    Mutant(
        "bohb takes trials that failed for none",
        "sampler/history.py",
        "ordered = sorted((losses | failed).items()",
        "ordered = sorted(losses.items()",
        UNIT + "test_bohb.py::test_trials_that_failed_and_results_that_are_no_numbers_are_bad",
    ),
    Mutant(
        "bohb looks at the lowest rung",
        "sampler/history.py",
        "return sorted(self._losses, reverse=True)",
        "return sorted(self._losses)",
        UNIT + "test_bohb.py::test_the_highest_rung_with_enough_results_is_the_one_that_counts",
    ),
    Mutant(
        "bohb never draws without its model",
        "sampler/bohb.py",
        "AT_RANDOM = 1 / 3",
        "AT_RANDOM = 0.0",
        UNIT + "test_bohb.py::test_a_third_of_the_suggestions_is_drawn_without_the_model",
    ),
    Mutant(
        "bohb follows a prior that misleads",
        "sampler/prior.py",
        "return float(scores[0] / scores.sum())",
        "return 1.0",
        UNIT + "test_bohb.py::test_a_prior_keeps_its_share_where_it_is_right_and_loses_it_where_it_misleads",
    ),
    Mutant(
        "cqr believes its quantiles",
        "sampler/cqr.py",
        "corrections[low], corrections[high] = -wider, wider",
        "corrections[low], corrections[high] = 0.0, 0.0",
        UNIT + "test_cqr.py::test_held_out_results_correct_the_intervals",
    ),
    Mutant(
        "cqr learns from a trial's first result",
        "sampler/history.py",
        "self._last[trial] = loss",
        "self._last.setdefault(trial, loss)",
        UNIT + "test_cqr.py::test_the_last_result_of_a_trial_is_the_one_that_counts",
    ),
    Mutant(
        "quasi-random trials of the second sequence get the points of the first",
        "shared/space/quasi_random.py",
        "seed, block, attempt)).tolist()",
        "seed, 0, attempt)).tolist()",
        UNIT + "test_quasi_random.py::test_a_later_block_is_as_even_as_the_first_and_another_one",
    ),
    Mutant(
        "a spec with sampler quasi_random is drawn at random",
        "master/dispatcher/setup.py",
        "if evenly else space",
        "if False else space",
        UNIT + "test_quasi_random.py::test_an_experiment_draws_by_its_sampler_also_after_a_restart",
    ),
    Mutant(
        "trials say random of hyperparameters that a sampler gave",
        "master/experiment/next_trial.py",
        "else self._origin",
        'else "random"',
        UNIT + "test_quasi_random.py::test_trials_say_that_their_hyperparameters_are_quasi_random",
    ),
    Mutant(
        "a stored spec is read with the limits of today",
        "shared/spec/spec.py",
        "with accepted_before():",
        "with few_suggestions():",
        UNIT
        + "test_stored_specs.py::test_a_search_that_was_accepted_ends_under_a_tighter_rule_and_a_new_one_is_refused",
    ),
    Mutant(
        "a request_id gives the experiment of another spec",
        "master/services/experiments.py",
        "if not is_spec_of(experiment.spec, spec):",
        "if False:",
        REQUESTS + "test_on_the_command_line_it_is_one_line_and_exit_code_2",
    ),
    Mutant(
        "a request_id gives somebody else's experiment",
        "master/services/experiments.py",
        "if caller and experiment.owner and experiment.owner != caller:",
        "if False:",
        REQUESTS + "test_somebody_elses_id_gives_nobody_his_experiment",
    ),
    Mutant(
        "what is not allowed is looked at late",
        "worker/assignment/training.py",
        "await in_thread(self._place.check_allowed, self.assignment)",
        "pass",
        ALLOWED + "test_nothing_of_a_function_that_is_not_allowed_is_imported",
    ),
    Mutant(
        "a link leads out of what is allowed",
        "worker/allowed.py",
        "program = found.resolve(strict=True)",
        "program = found",
        ALLOWED + "test_a_command_is_run_where_its_program_really_lies",
    ),
    Mutant(
        "the system looks for a program once more",
        "worker/process/child_main.py",
        "os.execv(program, command)",
        "os.execvp(command[0], command)",
        ALLOWED + "test_the_file_that_was_looked_at_is_run_and_no_other_of_its_name",
    ),
    Mutant(
        "the ancestors of training know the worker's token",
        "worker/process/reaper_client.py",
        "scrubbed(os.environ, self._hidden)",
        "dict(os.environ)",
        ALLOWED + "test_no_secret_of_the_worker_is_in_the_environment_of_training_or_of_what_it_hangs_from",
    ),
    Mutant(
        "a trial of a population is replaced though nothing better can take its place",
        "master/search/population.py",
        "return best != trial and",
        "return",
        UNIT + "test_pbt.py::test_nobody_starts_from_a_trial_that_is_trained_in_full",
    ),
    Mutant(
        "children are replaced by others from the same checkpoint",
        "master/search/population.py",
        " and self._members[best].rung >= self._members[trial].first_rung",
        "",
        UNIT + "test_pbt.py::test_a_child_is_not_replaced_by_another_from_the_same_checkpoint",
    ),
    Mutant(
        "a member that is not replaced saves no checkpoint",
        "master/search/pbt.py",
        "standing=standing, save=True)",
        "standing=standing)",
        UNIT + "test_pbt_experiment.py::test_each_interval_is_saved_and_the_worst_is_replaced_from_there",
    ),
    Mutant(
        "a population goes on from one that failed",
        "master/search/pbt.py",
        "        self._population.leave(trial)\n        self._vacated += 1\n        return Step(None,",
        "        self._vacated += 1\n        return Step(None,",
        UNIT + "test_pbt.py::test_the_place_of_a_trial_that_failed_is_taken",
    ),
)


class Unfit(Exception):
    """The check itself cannot be made: a mutant does not fit the source, or a test does not run without it."""


def copy_tree(target: Path) -> None:
    """The tracked files as they stand, and `place/rungmaster`: the packages under their installed names."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    place = target / "place" / "rungmaster"
    place.mkdir(parents=True)
    for package in PACKAGES:
        (place / package).symlink_to(Path("..", "..", package))
    (place / "__init__.py").symlink_to(Path("..", "..", "rungmaster", "__init__.py"))


def python(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs this Python in a copy, whose packages go before the installed ones."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environment["PYTHONPATH"] = str(tree / "place")
    command = [sys.executable, "-P", *arguments]
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)


def check_place(tree: Path) -> None:
    """Raises Unfit unless the packages of the copy are the ones that are imported."""
    ask = "import rungmaster.master, rungmaster.worker; print(*rungmaster.master.__path__, *rungmaster.worker.__path__)"
    found = python(tree, "-c", ask)
    expected = [str(tree / "place" / "rungmaster" / package) for package in ("master", "worker")]
    if found.stdout.split() != expected:
        raise Unfit(f"the copy is not what is imported, but {found.stdout}{found.stderr}")


def run_test(tree: Path, test: str) -> subprocess.CompletedProcess[str]:
    """Runs one test in a copy."""
    return python(tree, "-m", "pytest", "-p", "no:cacheprovider", "-x", "-q", f"--timeout={TEST_LIMIT}", test)


def check_unmutated(tree: Path, test: str) -> None:
    """Raises Unfit where a test fails without any mutant."""
    done = run_test(tree, test)
    if done.returncode:
        raise Unfit(f"{test} fails without a mutant:\n{done.stdout}{done.stderr}")


def mutate(tree: Path, mutant: Mutant) -> None:
    """Puts the defect in. Raises Unfit where its text is not there exactly once."""
    path = tree / mutant.file
    source = path.read_text()
    if (count := source.count(mutant.old)) != 1:
        raise Unfit(f"{mutant.name}: {mutant.file} has its text {count} times instead of once: {mutant.old!r}")
    path.write_text(source.replace(mutant.old, mutant.new))


def is_caught(pristine: Path, tree: Path, mutant: Mutant) -> bool:
    """Puts a mutant into a copy of its own, runs its test and says what came of it."""
    shutil.copytree(pristine, tree, symlinks=True)
    mutate(tree, mutant)
    begin = time.monotonic()
    done = run_test(tree, mutant.test)
    seconds = time.monotonic() - begin
    shutil.rmtree(tree)
    if done.returncode not in (0, TESTS_FAILED):
        raise Unfit(f"{mutant.name}: the test did not run:\n{done.stdout}{done.stderr}")
    failed = re.search(r"^(?:FAILED|ERROR) .*?::(.+?)(?: - |$)", done.stdout, re.MULTILINE)
    caught = done.returncode == TESTS_FAILED and failed is not None
    by = failed[1] if failed else mutant.test.rsplit("::", 1)[-1]
    print(f"{'caught  ' if caught else 'SURVIVED'}  {mutant.name}: {by} ({seconds:.1f} s)", flush=True)
    return caught


def check(mutants: list[Mutant]) -> int:
    """Checks the tests without mutants, then each mutant; gives how many survived."""
    with tempfile.TemporaryDirectory(prefix="rungmaster-mutants-") as folder:
        pristine = Path(folder).resolve() / "pristine"
        copy_tree(pristine)
        check_place(pristine)
        for mutant in mutants:
            if (pristine / mutant.file).read_text().count(mutant.old) != 1:
                mutate(pristine, mutant)
        for test in sorted({mutant.test for mutant in mutants}):
            check_unmutated(pristine, test)
        print(f"without a mutant every test passes, in {pristine}", flush=True)
        caught = [is_caught(pristine, pristine.with_name(f"mutant-{n}"), each) for n, each in enumerate(mutants)]
    return caught.count(False)


def main(words: list[str]) -> int:
    """All mutants, or those with one of the words in their name."""
    chosen = [mutant for mutant in MUTANTS if not words or any(word in mutant.name for word in words)]
    if not chosen:
        print("no mutant has such a name", file=sys.stderr)
        return 2
    try:
        survived = check(chosen)
    except Unfit as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{len(chosen) - survived} of {len(chosen)} mutants were caught")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
