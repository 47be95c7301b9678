"""Mistakes about what the terminal did: doubt, answers, amounts, sessions, aborts, signatures."""

from mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        name="a-payment-is-sent-again-after-a-time-out",
        file="laned/lane/answers.py",
        old="        turn.pursue(response_expected=False)\n        asking.doubt(turn)\n",
        new="        turn.pursue(response_expected=False)\n"
        '        refused(turn, "Busy", event.reason)\n',
        tests=("tests/lane/test_doubt.py::test_rule_3_lost_is_asked_after_at_once",),
    ),
    Mutant(
        name="lost-is-taken-for-not-sent",
        file="laned/terminal/client.py",
        old="return Lost(reason) if left else NotSent(reason)",
        new="return NotSent(reason)",
        tests=(
            "tests/whole/test_terminal_client.py::test_without_a_usable_answer_it_may_have_been_done",
        ),
    ),
    Mutant(
        name="a-read-error-is-taken-for-a-connect-error",
        file="laned/terminal/client.py",
        old="        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:\n",
        new="        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:\n"
        "            left = left and not isinstance(error, httpx.NetworkError)\n",
        tests=(
            "tests/whole/test_terminal_client.py::test_without_a_usable_answer_it_may_have_been_done",
        ),
    ),
    Mutant(
        name="a-connection-that-is-given-up-stays-open",
        file="laned/runner.py",
        old="        self._hang_up()\n",
        new="",
        tests=("tests/whole/test_hanging.py::test_an_answer_that_is_swallowed_is_asked_for",),
    ),
    Mutant(
        name="the-answers-service-id-is-not-looked-at",
        file="laned/lane/judging.py",
        old="    same = (header.service_id, header.sale_id, header.poi_id) == (\n",
        new="    same = (attempt.service_id, header.sale_id, header.poi_id) == (\n",
        tests=("tests/lane/test_payment_flow.py::test_rule_2_a_foreign_success_is_not_believed",),
    ),
    Mutant(
        name="the-answers-transaction-id-is-not-looked-at",
        file="laned/lane/judging.py",
        old="    return same and (echoed is None or echoed.transaction_id",
        new="    return same and (True or echoed.transaction_id",
        tests=("tests/lane/test_payment_flow.py::test_rule_2_a_foreign_success_is_not_believed",),
    ),
    Mutant(
        name="a-poi-transaction-may-belong-to-two-payments",
        file="laned/lane/judging.py",
        old="    if poi_owner not in (None, payment.id):\n",
        new="    if False:\n",
        tests=(
            "tests/lane/test_runner.py::test_a_poi_transaction_of_another_payment_is_looked_up",
        ),
    ),
    Mutant(
        name="the-amount-is-not-looked-at",
        file="laned/lane/judging.py",
        old="    return charged == amount and amounts.currency in (None, currency)\n",
        new="    return amounts.currency in (None, currency)\n",
        tests=("tests/lane/test_payment_flow.py::test_rule_6_amounts",),
    ),
    Mutant(
        name="the-currency-is-not-looked-at",
        file="laned/lane/judging.py",
        old="    return charged == amount and amounts.currency in (None, currency)\n",
        new="    return charged == amount\n",
        tests=("tests/lane/test_payment_flow.py::test_rule_6_amounts",),
    ),
    Mutant(
        name="a-tip-counts-as-amount",
        file="laned/lane/judging.py",
        old="    charged = amounts.authorized_amount - (amounts.tip_amount or Decimal(0))\n",
        new="    charged = amounts.authorized_amount\n",
        tests=("tests/lane/test_payment_flow.py::test_rule_6_amounts",),
    ),
    Mutant(
        name="a-busy-status-means-that-nothing-happened",
        file="laned/lane/doubt.py",
        old="    asking.note_working(turn)\n    asking.ask_later(turn)\n    attempts",
        new='    attempts.give_up(turn, Problem("Busy", ""))\n    return\n    attempts',
        tests=(
            "tests/lane/test_payment_flow.py::test_rule_7_a_busy_of_the_status_itself_means_running",
        ),
    ),
    Mutant(
        name="a-silent-terminal-is-logged-in-to-while-in-doubt",
        file="laned/lane/doubt.py",
        old="        asking.ask_later(turn)\n\n\ndef _try_later",
        new="        session.log_in_again(turn)\n\n\ndef _try_later",
        tests=("tests/lane/test_set_aside.py::test_rule_14_mute_with_an_open_port_for_10_minutes",),
    ),
    Mutant(
        name="a-rebooted-terminal-is-logged-in-to-while-in-doubt",
        file="laned/lane/posts.py",
        old="            turn.change(ask_at=turn.now.monotonic)  # and that",
        new="            idle.session.log_in_again(turn)  # and that",
        tests=("tests/lane/test_doubt.py::test_rule_5_events_only_trigger_a_question",),
    ),
    Mutant(
        name="asked-as-configured-now-and-not-as-sent",
        file="laned/lane/asking.py",
        old="request, timeout=timeout, attempt=attempt, address=address)\n",
        new="request, timeout=timeout)\n",
        tests=(
            "tests/lane/test_doubt.py::test_rule_3_asks_as_it_was_sent_whatever_the_configuration_says_now",
        ),
    ),
    Mutant(
        name="an-abort-decides-the-outcome",
        file="laned/lane/attempts.py",
        old="    elif turn.pursuit.sent and turn.pursuit.terminal_working:\n"
        "        send_abort(turn)\n",
        new="    elif turn.pursuit.sent and turn.pursuit.terminal_working:\n"
        "        send_abort(turn)\n        ending.cancel(turn)\n",
        tests=(
            "tests/lane/test_abort_signature_stop.py::test_rule_8_an_abort_names_the_attempt_and_does_not_decide",
        ),
    ),
    Mutant(
        name="an-abort-overtakes-its-payment",
        file="laned/lane/attempts.py",
        old="    elif turn.pursuit.sent and turn.pursuit.terminal_working:\n",
        new="    elif turn.pursuit.terminal_working:\n",
        tests=(
            "tests/lane/test_abort_signature_stop.py::test_rule_8_only_after_the_request_has_left",
        ),
    ),
    Mutant(
        name="an-abort-does-not-forbid-further-attempts",
        file="laned/lane/answers.py",
        old="    if turn.pursuit.aborting:\n        ending.cancel(turn)\n    elif",
        new="    if",
        tests=("tests/lane/test_payment_flow.py::test_rule_2_an_abort_forbids_further_attempts",),
    ),
    Mutant(
        name="an-abort-is-sent-while-a-signature-is-asked-for",
        file="laned/lane/controls.py",
        old="        prompt is not None and prompt.kind == "
        '"signature" and not turn.pursuit.between_attempts\n',
        new="        False\n",
        tests=(
            "tests/lane/test_abort_signature_stop.py::test_rule_8_never_while_a_signature_prompt_is_open",
        ),
    ),
    Mutant(
        name="a-signature-asked-for-after-an-abort-stays-open",
        file="laned/lane/prompts.py",
        old=' == "decline" or turn.payment.abort_requested:\n',
        new=' == "decline":\n',
        tests=(
            "tests/lane/test_abort_signature_stop.py::test_rule_8_a_signature_asked_for_after_an_abort_is_declined",
        ),
    ),
    Mutant(
        name="a-signature-is-approved-on-time-out",
        file="laned/lane/attempts.py",
        old='        prompts.close(turn, answer=False, by="timeout")\n    if',
        new='        prompts.close(turn, answer=True, by="timeout")\n    if',
        tests=(
            "tests/lane/test_abort_signature_stop.py::test_rule_9_the_time_out_declines_before_the_terminals_own",
        ),
    ),
    Mutant(
        name="a-signature-is-approved-by-policy",
        file="laned/lane/prompts.py",
        old="        close(turn, answer=False, by=None)\n",
        new="        close(turn, answer=True, by=None)\n",
        tests=("tests/lane/test_abort_signature_stop.py::test_rule_9_declined_by_policy_at_once",),
    ),
    Mutant(
        name="an-older-payment-is-reversed",
        file="laned/lane/reversals.py",
        old="    if payment.poi_transaction is None or event.superseded_by is not None:\n",
        new="    if payment.poi_transaction is None:\n",
        tests=("tests/lane/test_reversal.py::test_rule_10_only_the_terminals_last",),
    ),
    Mutant(
        name="what-was-resolved-still-leaves",
        file="laned/lane/aside.py",
        old="        response_expected=pursuit.response_expected and pursuit.sent,\n",
        new="        response_expected=pursuit.response_expected,\n",
        tests=(
            "tests/lane/test_runner.py::test_what_a_person_has_resolved_does_not_leave_any_more",
        ),
    ),
    Mutant(
        name="a-repeated-answer-after-a-verdict-is-ignored",
        file="laned/lane/idle.py",
        old="    aside.repeated(turn, event)\n",
        new="",
        tests=(
            "tests/lane/test_resolve.py::test_resolve_the_answer_to_the_question_that_was_out_wins_too",
        ),
    ),
    Mutant(
        name="what-one-terminal-turned-away-is-asked-of-another",
        file="laned/lane/answers.py",
        old="        if no_session or not session.same_terminal(turn):\n",
        new="        if no_session:\n",
        tests=(
            "tests/lane/test_doubt.py::test_rule_3_without_a_session_the_next_attempt_waits_for_a_question",
        ),
    ),
    Mutant(
        name="a-transition-that-is-not-drawn",
        file="laned/lane/session.py",
        old="    turn.enter(Phase.READY, Reason.NONE)\n    turn.change(idle_since=",
        new="    turn.enter(Phase.UPDATING, Reason.NONE)\n    turn.change(idle_since=",
        tests=("tests/lane/test_session.py",),
    ),
)
