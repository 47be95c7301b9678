"""What two lanes of one box must not share; in other processes, tests/sockets/test_lanes.py."""

import re

import pytest

from laned.config.schema import TerminalConfig
from laned.system.single_instance import Claimed, claims

ADDRESS = "lane-test.invalid:11000"


def terminal(address: str = ADDRESS, poi_id: str = "CLAIM-1", sale_id: str = "1") -> TerminalConfig:
    return TerminalConfig(address=address, poi_id=poi_id, sale_id=sale_id)


@pytest.mark.parametrize(
    ("other", "text"),
    [
        (terminal(poi_id="CLAIM-2"), f"terminal {ADDRESS}"),
        (terminal(ADDRESS.upper(), "CLAIM-2"), f"terminal {ADDRESS.upper()}"),
        (terminal("x.invalid:1"), "POIID 'CLAIM-1' with SaleID '1'"),
        (terminal("auto"), "POIID 'CLAIM-1' with SaleID '1'"),
    ],
)
def test_one_lane_for_one_terminal(other: TerminalConfig, text: str) -> None:
    with claims(terminal()):
        with pytest.raises(Claimed) as found, claims(other):
            pass
        assert str(found.value) == f"another laned on this machine uses {text}"
    with claims(other):  # it goes with the first
        pass


@pytest.mark.parametrize(
    "other",
    [
        terminal("x.invalid:1", "CLAIM-2"),
        terminal("x.invalid:1", sale_id="2"),
        terminal(ADDRESS.replace("11000", "11001"), "CLAIM-2"),
        terminal("auto", "CLAIM-2"),
    ],
)
def test_lanes_with_terminals_of_their_own(other: TerminalConfig) -> None:
    with claims(terminal()), claims(other):
        pass


def test_what_is_free_is_not_held_by_a_claim_that_failed() -> None:
    with claims(terminal("auto")):
        with pytest.raises(Claimed), claims(terminal()):
            pass
        with claims(terminal(poi_id="CLAIM-2")):
            pass


def test_two_learnt_addresses_are_no_quarrel() -> None:
    with claims(terminal("auto")), claims(terminal("auto", "CLAIM-2")):
        pass


def test_the_longest_address_and_names() -> None:
    address = ".".join(["a" * 60] * 4) + ".b:65535"
    longest = terminal(address, "P" * 32, "S" * 32)
    with claims(longest):
        with pytest.raises(Claimed), claims(terminal(address, "CLAIM-1")):
            pass
        with claims(terminal(address.replace(".b:", ".c:"), "CLAIM-1")):
            pass


@pytest.mark.parametrize(
    ("address", "addresses"),
    [
        ("127.0.0.1:11000", []),
        ("localhost:11000", ["127.0.0.1", "::1"]),
        ("LOCALHOST:11000", []),
        ("[::1]:11000", []),
        ("[0:0:0:0:0:0:0:1]:11000", ["::1"]),
        ("other-name.invalid:11000", ["127.0.0.1"]),
    ],
)
def test_two_names_of_one_terminal_are_one_terminal(address: str, addresses: list[str]) -> None:
    other = terminal(address, "CLAIM-2")

    def claimed() -> None:
        with claims(other) as hold:
            hold(address.rpartition(":")[0].strip("[]"), addresses)

    with claims(terminal("localhost:11000")) as hold:
        hold("localhost", ["127.0.0.1", "::1"])
        hold("localhost", ["127.0.0.1"])  # its own
        with pytest.raises(Claimed, match=re.escape(f"terminal {address}")):
            claimed()
    claimed()
    with claims(terminal("localhost:11001")) as hold:
        hold("localhost", ["127.0.0.1", "::1"])
        claimed()


def test_only_the_addresses_of_the_terminals_name_are_held() -> None:
    with claims(terminal("localhost:11000")) as hold, claims(terminal("auto", "CLAIM-2")) as other:
        hold("elsewhere.invalid", ["127.0.0.1"])
        other("localhost", ["127.0.0.1"])
        with claims(terminal("127.0.0.1:11000", "CLAIM-3")):
            pass
