"""The till's side: HTTP and JSON on a unix socket. The lane decides, this asks it and tells.

A route is a row of `routes`: method, path, body, answers, handler. The OpenAPI document and the
decoding of bodies are made from that row, so that what the document says is true.
"""
