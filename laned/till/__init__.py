"""The till's side: HTTP and JSON on a unix socket. The lane decides, this asks it and tells.

A route is a row of `routes`: method, path, its handler (`handlers`), the type of its body. `api`
decodes and dispatches by that row, and `openapi` describes it, so what the document says is true.
For people: API.md.
"""
