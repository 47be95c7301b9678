"""HTTP servers that one bad peer cannot hurt: hypercorn's protocol on connections of our own.

`serve` has the connections and their limits, `slots` who may hold how many, `hangup` who is gone,
`http11` the protocol, `listen` the sockets, `asgi` what our apps have in common. What an answer
means is the apps' business (`laned.till`, `laned.terminal`).
"""
