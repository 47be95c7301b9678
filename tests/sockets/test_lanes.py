"""Two lanes on one box: each its own process, terminal, socket, journal and buttons."""

from processes import site, until


def test_two_lanes_side_by_side() -> None:
    with site("aborted") as left, site("happy") as right:
        pay = left.background("pay", "38.00", "--id", "left-1")
        pay.says("Present card")
        assert right.command("press", "abort").status == 0  # not the left lane's button
        paid = right.command("pay", "12.50", "--id", "right-1")
        assert (paid.status, paid.lines[-1]) == (0, "approved"), paid
        assert left.lane()["payment"] == "left-1"
        assert left.command("press", "abort").status == 0
        assert pay.ended() == 1
        for lane, mine, others in ((left, "left-1", "right-1"), (right, "right-1", "left-1")):
            listed = lane.command("payments").out
            assert mine in listed
            assert others not in listed
            assert others not in lane.terminal.out + lane.daemon.err

        left.daemon.kill()
        until(lambda: right.lane()["display"]["lines"] == ["Welcome"], "the right lane, untouched")
        left.run()
        assert left.lane()["session"]["state"] == "ready"
