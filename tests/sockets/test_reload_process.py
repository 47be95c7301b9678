"""SIGHUP: the running daemon takes over what can change, and says what cannot."""

import signal

from processes import Site, site, until


def reread(lane: Site, says: str) -> None:
    """Have the daemon read its configuration again, and wait until it says so."""
    lane.daemon.signal(signal.SIGHUP)
    until(lambda: says in lane.daemon.err, f"{says!r} in {lane.daemon.err}")


def test_what_can_change_does_and_the_rest_is_named() -> None:
    with site("happy") as lane:
        status, problem = lane.ask("PUT", "/v1/payments/a", {"amount": "99.00"})
        assert status == 201, problem
        until(lambda: lane.ask("GET", "/v1/payments/a")[1]["state"] == "approved", "approval")
        lane.configure(payment={"max_amount": "50"}, display={"width": 96})
        reread(lane, "changed: payment.max_amount")
        assert "take effect at the next restart: display.width" in lane.daemon.err
        status, problem = lane.ask("PUT", "/v1/payments/b", {"amount": "99.00"})
        assert (status, problem["code"]) == (422, "invalid")
        assert lane.ask("PUT", "/v1/payments/a", {"amount": "99.00"})[0] == 200


def test_a_file_with_a_mistake_changes_nothing() -> None:
    with site("happy") as lane:
        path = lane.configure()
        path.write_text(path.read_text().replace('language = "en"', 'language = "xx"'))
        reread(lane, "the configuration stays as it was")
        assert 'display.language: "xx" is not one of' in lane.daemon.err
        assert lane.lane()["session"]["state"] == "ready"
        path.unlink()
        reread(lane, "cannot be read")
        assert lane.daemon.running
