"""Payments and events in one line each, for a person to read."""

from typing import Any


def event_line(event: Any) -> str:
    """One event for a person to read."""
    name, data = event
    match name:
        case "lane":
            text = f"{data['name']}: session {data['session']['state']}"
        case "display":
            text = " / ".join(data["lines"])
        case "payment":
            text = payment_line(data)
        case "session":
            text = f"{data['state']} {data['reason']}"
        case "prompt":
            answered = f"{data['answer']} by {data['by']}" if "by" in data else "open"
            text = f"{data['id']} {data['kind']} {data['text']!r} {answered}"
        case "print":
            text = f"{data['document']} receipt, {len(data['lines'])} lines"
        case _:
            text = " ".join(str(value) for value in data.values())
    return f"{name:9} {text}".rstrip()


def payment_line(payment: dict[str, Any]) -> str:
    """One payment for a person to read."""
    parts = [payment["id"], payment["type"], payment["amount"], payment["currency"]]
    parts.append(payment["state"])
    reversal, resolved = payment["reversal"], payment["resolved"]
    if reversal and payment["state"] != "reversed":
        parts.append(f"(reversal {reversal['state']})")
    if resolved:
        parts.append(f"(by uid {resolved['by']}: {resolved['note']})")
    elif payment["error"]:
        parts.append(f"({payment['error']['condition']} {payment['error']['message']})")
    elif payment["card"]:
        parts.append(f"{payment['card']['brand']} {payment['card']['masked_pan']}")
    if payment["set_aside_at"] and payment["state"] == "unknown":
        parts.append(f"set aside at {payment['set_aside_at'][:19]}Z")
    return " ".join(parts).replace(" )", ")")


def closing(payment_id: str) -> str:
    """How a person closes a payment that is not known."""
    return f"laned resolve {payment_id} approved|failed --note TEXT"
