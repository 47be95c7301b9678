"""The card terminal: `client` asks it, `callback` hears it, `allowlist` knows who it is.

They turn HTTP into events of the lane and decide nothing about money, but one thing: whether a
request may have left this machine (`client`, money rule 3). They watch the lane and bring it
events, and know no other adapter. `names` knows where it is.
"""
