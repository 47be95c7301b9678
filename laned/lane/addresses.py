"""Where the terminal is: the address in use, the one that the file names, and announced ones.

Nothing about an announcement is authenticated, so it only makes a candidate: tried while nothing is
unfinished and the terminal does not answer where it was, and kept only if a Login there shows the
serial number that is known. Source: contract, section Session; protocol, TransmitRequest.
"""

from laned.config.schema import host_port
from laned.lane.events import AddressAnnounced, LearnAsked
from laned.lane.state import LaneState, Phase
from laned.lane.turn import Turn

CANDIDATES = 4  # announced addresses that are kept at a time
LEARN_FOR = 600.0  # seconds for which a first address may come from anyone


def configured(state: LaneState) -> str:
    """The address that the file names; "" where it says "auto"."""
    return state.config.terminal.address if state.config.terminal.host_port is not None else ""


def known_serial(state: LaneState) -> str:
    """The serial number by which the terminal is known elsewhere; "": none yet."""
    return state.config.terminal.serial or state.terminal.serial_number or state.remembered


def expected_serial(turn: Turn) -> str:
    """The serial number that must answer the Login that is out; "": any.

    At the terminal's own address and at the one that the file names only what the file says: a
    terminal may be exchanged for another. At an announced one also what is known, unless a person
    lets the lane learn another.
    """
    state = turn.state
    named = state.login_to in ("", state.terminal.address, configured(state))
    if named or turn.now.monotonic < state.learn_until:
        return state.config.terminal.serial
    return known_serial(state)


def note(turn: Turn, event: AddressAnnounced) -> bool:
    """Keep an announced address as a candidate; whether it is one, and new."""
    state = turn.state
    if event.address == state.terminal.address:
        return False
    if not (known_serial(state) or may_be_first(turn, event)):
        return False  # the very first terminal is not taken from a stranger
    host = host_port(event.address)[0]
    others = tuple(place for place in state.candidates if host_port(place)[0] != host)
    turn.change(candidates=(event.address, *others)[:CANDIDATES])
    return event.address not in state.candidates


def may_be_first(turn: Turn, event: AddressAnnounced) -> bool:
    """Whether an address may be taken although no serial number tells whose it is."""
    return event.admitted or turn.now.monotonic < turn.state.learn_until


def learn(turn: Turn, _: LearnAsked) -> None:
    """For a while a first terminal may be taken from anywhere."""
    turn.change(learn_until=turn.now.monotonic + LEARN_FOR)


def elsewhere(state: LaneState) -> bool:
    """Whether the Login that is out went to another address than the terminal's present one."""
    return state.login_to not in ("", state.terminal.address)


def unproven(state: LaneState) -> bool:
    """Whether a Login is out of which only the answer shows whether it went to our terminal."""
    return state.phase is Phase.LOGGING_IN and elsewhere(state)


def heard_at(state: LaneState) -> str:
    """The address of the terminal whose posts are heard."""
    if state.login_to and state.phase in (Phase.LOGGING_IN, Phase.RELOGIN, Phase.SURVEY):
        return state.login_to
    return (state.attempt or state.terminal).address


def choose_next(turn: Turn) -> None:
    """Choose where the next Login goes: each address in turn, so that none keeps it from another.

    A terminal that has moved may still be starting: a candidate stays until another terminal
    answers there, or newer ones take its place.
    """
    state = turn.state
    tried = state.login_to or state.terminal.address
    places = _places(state)
    following = places[places.index(tried) + 1 :] if tried in places else places
    turn.change(login_to=next(iter(following or places), ""))


def following(turn: Turn, after: str, *, first: str) -> str:
    """The place to look for the terminal after `after`; `first` is one of them."""
    places = tuple(dict.fromkeys((first, *_places(turn.state))))
    at = places.index(after) + 1 if after in places else 0
    return places[at % len(places)]


def forget(turn: Turn) -> None:
    """Another terminal answered the Login: where it went is no candidate any more."""
    state = turn.state
    left = tuple(place for place in state.candidates if place != state.login_to)
    turn.change(candidates=left)


def _places(state: LaneState) -> tuple[str, ...]:
    """Where the terminal may be: first where it was, then as announced, then as the file says."""
    places = (state.terminal.address, *state.candidates, configured(state))
    return tuple(dict.fromkeys(place for place in places if place))
