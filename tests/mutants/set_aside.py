"""Mistakes about what is set aside: when, for how long, and what decides it later (rule 14)."""

from mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        name="what-stays-undecided-is-waited-for-for-ever",
        file="laned/lane/doubt.py",
        old="    if pursuit.ended:\n        aside.set_aside(turn, problem)\n        return\n",
        new="",
        tests=(
            "tests/lane/test_set_aside.py::test_rule_14_after_a_reboot_one_login_and_one_question",
        ),
    ),
    Mutant(
        name="a-second-login-for-one-doubt",
        file="laned/lane/doubt.py",
        old="    elif condition in NO_SESSION and not turn.pursuit.ended:\n",
        new="    elif condition in NO_SESSION:\n",
        tests=(
            "tests/lane/test_set_aside.py::test_rule_14_no_second_login_for_a_session_that_is_lost_again",
        ),
    ),
    Mutant(
        name="two-answers-at-once-make-an-end",
        file="laned/lane/doubt.py",
        old="UNDECIDED_APART = 10.0",
        new="UNDECIDED_APART = 1.0",
        tests=(
            "tests/lane/test_set_aside.py::test_rule_14_two_answers_less_than_10_s_apart_are_one",
        ),
    ),
    Mutant(
        name="an-end-is-made-without-an-abort-request",
        file="laned/lane/doubt.py",
        old="        attempts.send_abort(turn)\n        turn.pursue(abort_at=None)\n",
        new="        turn.pursue(abort_at=None)\n",
        tests=("tests/lane/test_set_aside.py::test_rule_14_two_answers_that_decide_nothing",),
    ),
    Mutant(
        name="the-login-follows-the-abort-request-at-once",
        file="laned/lane/doubt.py",
        old="LOGIN_AFTER = 60.0",
        new="LOGIN_AFTER = 6.0",
        tests=("tests/lane/test_set_aside.py::test_rule_14_two_answers_that_decide_nothing",),
    ),
    Mutant(
        name="busy-after-the-login-is-waited-for-for-ever",
        file="laned/lane/doubt.py",
        old="BUSY_AFTER_LOGIN = 120.0",
        new="BUSY_AFTER_LOGIN = 1e9",
        tests=(
            "tests/lane/test_set_aside.py::test_rule_14_busy_to_the_one_question_is_asked_again_for_2_minutes",
        ),
    ),
    Mutant(
        name="an-unreadable-answer-is-none",
        file="laned/lane/doubt.py",
        old='    elif event.port == "answered":\n',
        new="    elif False:\n",
        tests=("tests/lane/test_set_aside.py::test_rule_14_any_answer_counts_twice",),
    ),
    Mutant(
        name="a-closed-port-counts-as-mute",
        file="laned/lane/doubt.py",
        old='port_open=event.port == "silent")',
        new='port_open=event.port != "answered")',
        tests=("tests/lane/test_set_aside.py::test_rule_14_a_closed_port_decides_nothing_ever",),
    ),
    Mutant(
        name="a-mute-terminal-is-waited-for-for-ever",
        file="laned/lane/doubt.py",
        old="    if since is None or now - since < longest or",
        new="    if True or",
        tests=("tests/lane/test_set_aside.py::test_rule_14_mute_with_an_open_port_for_10_minutes",),
    ),
    Mutant(
        name="what-another-terminal-cannot-tell-is-waited-for",
        file="laned/lane/doubt.py",
        old="    elif not here and not moved and reason in (Reason.NONE, Reason.OTHER_TERMINAL):\n",
        new="    elif False:\n",
        tests=("tests/lane/test_set_aside.py::test_rule_14_another_terminal_in_session",),
    ),
    Mutant(
        name="a-wrong-amount-is-asked-after",
        file="laned/lane/answers.py",
        old="problem, asked=False, **fields)",
        new="problem, **fields)",
        tests=(
            "tests/lane/test_set_aside.py::test_rule_6_a_wrong_answer_is_set_aside_with_all_it_told",
        ),
    ),
    Mutant(
        name="what-a-wrong-answer-tells-is-dropped",
        file="laned/lane/answers.py",
        old="problem, asked=False, **fields)",
        new="problem, asked=False)",
        tests=(
            "tests/lane/test_set_aside.py::test_rule_6_a_wrong_answer_is_set_aside_with_all_it_told",
        ),
    ),
    Mutant(
        name="a-login-kills-what-the-terminal-shows-it-is-at-work-on",
        file="laned/lane/attempts.py",
        old="        if asking.at_work(turn):\n",
        new="        if False:\n",
        tests=(
            "tests/lane/test_set_aside_at_work.py::test_rule_14_no_login_where_work_is_shown_after_the_abort_request",
        ),
    ),
    Mutant(
        name="an-open-connection-is-no-sign-of-work",
        file="laned/lane/asking.py",
        old="    connected = pursuit.response_expected and now < pursuit.answer_by\n",
        new="    connected = False\n",
        tests=(
            "tests/lane/test_set_aside_at_work.py::test_rule_14_its_own_connection_keeps_it_open_until_response_timeout",
        ),
    ),
    Mutant(
        name="an-open-prompt-is-no-sign-of-work",
        file="laned/lane/asking.py",
        old="connected or pursuit.prompt is not None or (",
        new="connected or (",
        tests=("tests/lane/test_set_aside_at_work.py::test_rule_14_a_prompt_keeps_it_open",),
    ),
    Mutant(
        name="a-callback-is-no-sign-of-work",
        file="laned/lane/asking.py",
        old="    posted = pursuit.posted_at is not None and",
        new="    posted = False and",
        tests=(
            "tests/lane/test_set_aside_at_work.py::test_rule_14_a_callback_within_30_seconds_keeps_it_open",
        ),
    ),
    Mutant(
        name="busy-is-a-sign-of-work-for-ever",
        file="laned/lane/asking.py",
        old="    600.0  # seconds",
        new="    1e9  # seconds",
        tests=(
            "tests/lane/test_set_aside_at_work.py::test_rule_14_nothing_but_busy_for_10_minutes",
        ),
    ),
    Mutant(
        name="doubts-never-close-the-lane",
        file="laned/lane/aside.py",
        old="TOO_MANY = 2 ",
        new="TOO_MANY = 2000 ",
        tests=("tests/lane/test_doubts.py::test_rule_14_two_in_a_row_close_it_for_10_minutes",),
    ),
    Mutant(
        name="the-pause-for-doubts-does-not-grow",
        file="laned/lane/aside.py",
        old="PAUSE * 2.0 ** min(doubts - TOO_MANY, 16)",
        new="PAUSE",
        tests=("tests/lane/test_doubts.py::test_rule_14_then_for_20_minutes",),
    ),
    Mutant(
        name="a-payment-that-was-decided-does-not-end-the-row-of-doubts",
        file="laned/lane/answers.py",
        old="        case judging.Final(fields):\n            aside.count_doubts(turn, 0)\n",
        new="        case judging.Final(fields):\n",
        tests=("tests/lane/test_doubts.py::test_rule_14_one_that_the_terminal_decided_in_between",),
    ),
    Mutant(
        name="a-login-by-hand-does-not-end-the-pause",
        file="laned/lane/review.py",
        old="    aside.count_doubts(turn, 0)\n",
        new="",
        tests=("tests/lane/test_doubts.py::test_rule_14_a_login_by_hand_ends_it",),
    ),
    Mutant(
        name="a-terminal-that-moved-is-not-looked-for",
        file="laned/lane/asking.py",
        old="MOVED_AFTER = 120.0",
        new="MOVED_AFTER = 1e9",
        tests=(
            "tests/lane/test_doubts.py::test_rule_14_a_terminal_that_moved_is_asked_elsewhere_after_2_minutes",
        ),
    ),
    Mutant(
        name="the-attempt-stays-where-the-terminal-was",
        file="laned/lane/doubt.py",
        old="        if moved:\n            turn.change_attempt(address=address)\n",
        new="",
        tests=(
            "tests/lane/test_doubts.py::test_rule_14_its_address_follows_when_the_serial_agrees",
        ),
    ),
    Mutant(
        name="not-asked-before-a-payment",
        file="laned/lane/review.py",
        old=" for one in asked)[:BEFORE_A_PAYMENT]\n",
        new=" for one in asked)[:0]\n",
        tests=("tests/lane/test_set_aside_later.py::test_rule_14_asked_before_a_payment",),
    ),
    Mutant(
        name="not-asked-before-a-login",
        file="laned/lane/review.py",
        old="        if elsewhere or not _begin(turn, Then.LOG_IN):\n",
        new="        if True:\n",
        tests=("tests/lane/test_set_aside_later.py::test_rule_14_asked_before_a_login",),
    ),
    Mutant(
        name="another-terminal-is-asked-after-it",
        file="laned/lane/review.py",
        old="        if one.until > turn.utc and one.attempt.serial == serial\n",
        new="        if one.until > turn.utc\n",
        tests=("tests/lane/test_set_aside_later.py::test_rule_14_only_at_the_same_serial",),
    ),
    Mutant(
        name="asked-after-it-for-ever",
        file="laned/lane/review.py",
        old="        if one.until > turn.utc and one",
        new="        if one",
        tests=("tests/lane/test_set_aside_later.py::test_rule_14_not_after_7_days",),
    ),
    Mutant(
        name="asked-after-it-as-configured-now",
        file="laned/lane/review.py",
        old="timeout=timeout, attempt=one.attempt, address=address",
        new="timeout=timeout, address=address",
        tests=("tests/lane/test_set_aside_later.py::test_rule_14_asked_as_it_was_sent",),
    ),
    Mutant(
        name="a-customer-waits-for-more-than-5-seconds",
        file="laned/lane/review.py",
        old="WITHIN = 5.0",
        new="WITHIN = 15.0",
        tests=(
            "tests/lane/test_set_aside_later.py::test_rule_14_5_seconds_in_all_before_a_payment",
        ),
    ),
    Mutant(
        name="a-terminal-that-never-answers-delays-every-customer",
        file="laned/lane/review.py",
        old=" if one.unanswered < UNANSWERED or one.working]\n",
        new=" if True]\n",
        tests=(
            "tests/lane/test_set_aside_later.py::test_rule_14_after_three_without_an_answer_only_the_others",
        ),
    ),
    Mutant(
        name="a-payment-is-asked-for-beside-one-that-still-runs",
        file="laned/lane/review.py",
        old="    if one is not None and _says_it_runs(one, event):\n",
        new="    if False:\n",
        tests=("tests/lane/test_set_aside_answers.py::test_rule_14_busy_about_it_no_payment",),
    ),
    Mutant(
        name="what-is-pursued-again-is-still-set-aside",
        file="laned/lane/review.py",
        old="    turn.change_payment(set_aside_at=None)\n",
        new="",
        tests=("tests/lane/test_set_aside_answers.py::test_rule_14_busy_about_it_no_login",),
    ),
    Mutant(
        name="the-terminals-late-answer-is-ignored",
        file="laned/lane/aside.py",
        old="            _take(turn, one, event.header, event.response, event)\n",
        new="            pass\n",
        tests=("tests/lane/test_set_aside_answers.py::test_rule_14_also_on_its_own_connection",),
    ),
    Mutant(
        name="a-late-charge-that-is-not-the-last-is-given-back",
        file="laned/lane/aside.py",
        old=" and possible and event.superseded_by is None\n",
        new=" and possible\n",
        tests=(
            "tests/lane/test_set_aside_signature.py::test_rule_14_stays_approved_when_it_is_not_the_last_any_more",
        ),
    ),
    Mutant(
        name="what-a-person-has-resolved-is-given-back",
        file="laned/lane/aside.py",
        old="    possible = one.payment.resolved is None and ",
        new="    possible = ",
        tests=(
            "tests/lane/test_set_aside_signature.py::test_rule_14_a_person_has_said_what_it_is",
        ),
    ),
    Mutant(
        name="a-wish-to-abort-counts-as-an-abort-request",
        file="laned/lane/doubt.py",
        old="turn.pursuit.aborting and turn.pursuit.aborts_left < attempts.ABORTS\n",
        new="turn.pursuit.aborting\n",
        tests=(
            "tests/lane/test_set_aside.py::test_rule_14_an_abort_that_was_never_sent_is_sent_then",
        ),
    ),
    Mutant(
        name="in-progress-in-what-is-repeated-is-no-work",
        file="laned/lane/review.py",
        old="        and body.response.error_condition == ErrorCondition.IN_PROGRESS\n",
        new="        and False\n",
        tests=("tests/lane/test_set_aside_answers.py::test_rule_14_busy_about_it_no_payment",),
    ),
    Mutant(
        name="a-question-without-an-answer-in-time-is-not-counted",
        file="laned/lane/review.py",
        old="        _count_unanswered(turn)\n        _go_on(turn)\n",
        new="        _go_on(turn)\n",
        tests=(
            "tests/lane/test_set_aside_later.py::test_rule_14_after_three_without_an_answer_only_the_others",
        ),
    ),
    Mutant(
        name="a-wrong-amount-told-later-ends-the-row-of-doubts",
        file="laned/lane/aside.py",
        old="            if not isinstance(judgement, judging.Mismatch):\n"
        "                count_doubts(turn, 0)\n",
        new="            count_doubts(turn, 0)\n",
        tests=(
            "tests/lane/test_set_aside_answers.py::test_rule_14_a_wrong_amount_decides_nothing_and_is_asked_after_no_more",
        ),
    ),
    Mutant(
        name="a-late-charge-is-given-back-only-in-a-session",
        file="laned/lane/aside.py",
        old="in (Phase.REVIEWING, Phase.CHECKING)\n    serial",
        new="is Phase.CHECKING\n    serial",
        tests=("tests/lane/test_set_aside_signature.py::test_rule_14_given_back_before_a_login",),
    ),
    Mutant(
        name="a-late-charge-is-given-back-after-the-next-payment",
        file="laned/lane/aside.py",
        old="in (Phase.REVIEWING, Phase.CHECKING)\n    serial",
        new="is Phase.REVIEWING\n    serial",
        tests=("tests/lane/test_set_aside_signature.py::test_rule_14_given_back_before_a_payment",),
    ),
    Mutant(
        name="set-aside-is-taken-for-unfinished",
        file="laned/journal/store.py",
        old="WHERE final = 0 AND set_aside = 0",
        new="WHERE final = 0",
        tests=(
            "tests/lane/test_set_aside_journal.py::test_rule_14_what_is_set_aside_is_kept_and_not_unfinished",
        ),
    ),
    Mutant(
        name="what-a-person-resolved-is-forgotten-by-the-next-life",
        file="laned/journal/store.py",
        old="AND (final OR set_aside) AND",
        new="AND set_aside AND",
        tests=(
            "tests/lane/test_set_aside_journal.py::test_version_2_with_a_resolved_payment_is_asked_after",
        ),
    ),
    Mutant(
        name="what-is-decided-is-asked-after-in-the-next-life",
        file="laned/lane/aside.py",
        old="    if by is None:\n        turn.record(AskedAfter(one.payment.id, None))\n",
        new="",
        tests=(
            "tests/lane/test_set_aside_journal.py::test_rule_14_asked_after_no_more_when_it_is_decided",
        ),
    ),
    Mutant(
        name="what-is-asked-after-is-pruned",
        file="laned/journal/store.py",
        old="WHERE final AND ask_until IS NULL",
        new="WHERE final",
        tests=(
            "tests/lane/test_set_aside_journal.py::test_rule_13_nor_what_a_person_resolved_and_the_terminal_did_not",
        ),
    ),
    Mutant(
        name="a-migration-forgets-what-a-person-resolved",
        file="laned/journal/schema.py",
        old="'$.resolved') IS NOT NULL;",
        new="'$.resolved') IS NULL;",
        tests=(
            "tests/lane/test_set_aside_journal.py::test_version_2_with_a_resolved_payment_is_asked_after",
        ),
    ),
)
