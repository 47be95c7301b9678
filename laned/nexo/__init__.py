"""nexo Retailer 3.1 as laned speaks it: messages, their XML, receipts. Pure: no I/O, no clock.

What terminals do is in PROTOCOL.md, with its sources; code cites its sections.
"""

from laned.nexo import messages as messages
from laned.nexo.decode import decode as decode
from laned.nexo.encode import encode as encode
from laned.nexo.receipts import decode_receipt as decode_receipt
from laned.nexo.xml import NexoError as NexoError
