"""Every bound of the network adapter in one place, each with its unit and its reason."""

CONTROL_LIMIT_BYTES = 64 * 1024
"""A request, or any frame of book-keeping: small enough to hold one per stream without thought."""

MESSAGE_LIMIT_BYTES = 1024 * 1024
"""A one-way message to one peer."""

GOSSIP_LIMIT_BYTES = 1_000_000
"""A gossip payload: the wire allows 1 MiB together with signature, key and topic."""

GOSSIP_FRAME_LIMIT_BYTES = 1024 * 1024
"""One gossip frame; gossipsub's own limit, so that other implementations agree."""

ANSWER_LIMIT_BYTES = 4 * 1024 * 1024
"""An answer to a request; larger things are asked for in pages."""

EVENT_LIMIT = 4096
"""Events that wait for the driver before gossip and messages are dropped, in events."""

OUTBOX_LIMIT_MESSAGES = 1024
"""One-way messages that wait for one peer."""

OUTBOX_LIMIT_BYTES = 8 * 1024 * 1024
"""The same in bytes: a slow peer may not hold more of our memory."""

GOSSIP_QUEUE_LIMIT = 4096
"""Gossip frames that wait for one peer; the library's default of 32 loses every larger burst."""

GOSSIP_QUEUE_LIMIT_BYTES = 8 * 1024 * 1024
"""The same in bytes; what is dropped beyond it comes again with the protocol's summaries."""

SEEN_LIMIT = 65_536
"""Gossip identities remembered, so that a flood cannot grow the memory."""

SEEN_SECONDS = 120.0
"""How long a gossip identity is remembered; far longer than any message travels."""

REQUESTS_PER_SECOND = 100
"""Requests that one peer may make in the long run."""

REQUEST_BURST = 200
"""Requests that one peer may make at once; a node that catches up asks in bursts."""

OPEN_REQUESTS = 32
"""Requests of one peer that are served at the same time."""

OPEN_CONVERSATIONS = 4
"""Conversations of one peer that are held at the same time, in each of them one answer."""

QUIET_SECONDS = 60.0
"""A conversation in which nothing is asked for this long ends."""

CONVERSATION_ANSWER_SECONDS = 90.0
"""The longest that a peer may take to receive one answer of a conversation."""

HANDLER_SECONDS = 60.0
"""The longest that an answer may take to make."""

FRAME_SECONDS = 10.0
"""The longest that a peer may take to send a frame that it has begun, or owes."""

SLOWEST_BYTES_PER_SECOND = 64 * 1024
"""A peer that sends a large frame more slowly than this is cut off."""

HANDSHAKES = 256
"""Connections from others whose handshake is under way; beyond it the oldest gives way."""

DIAL_SECONDS = 5.0
"""One attempt to open a connection, handshakes included."""

PING_SECONDS = 2.5
"""Between two pings on a link."""

SILENCE_SECONDS = 7.5
"""Without any sign of the peer for three pings, its connection is taken for dead."""

DEAF_SECONDS = 3.0
"""Gossip of an established link may be dead in one direction for this long before a new dial."""

ESTABLISH_SECONDS = 10.0
"""From the connection to a link that works in every way."""

SURPLUS_SECONDS = 2.0
"""A peer for whom there is no room may ask for addresses for this long."""

SETTLE_SECONDS = 0.15
"""Wait before gossip opens on a connection that would lose against a simultaneous dial."""

BACKOFF_FIRST_SECONDS = 0.5
BACKOFF_CAP_SECONDS = 30.0
"""Pauses between dials of one peer, doubled each time and drawn between half and whole."""

SHUNNED_FIRST_SECONDS = 30.0
SHUNNED_CAP_SECONDS = 3_600.0
"""The same for a peer of another network or version, which a dial alone does not change."""

EXCHANGE_SECONDS = 30.0
"""Between two exchanges of addresses with one neighbour."""

EXPLORE_SECONDS = 60.0
"""Between two dials of a peer that is not needed, so that separate groups find each other."""

SAVE_SECONDS = 5.0
"""At most this often is the address book written."""

BOOK_LIMIT = 1000
"""Accounts in the address book."""

BOOK_LIMIT_PER_SOURCE = 200
"""Accounts that one neighbour alone may have brought into the book."""

ADDRESSES_PER_RECORD = 8
RECORDS_PER_EXCHANGE = 64
ADDRESS_LENGTH = 256
"""Characters of one address."""

MEETING_SECONDS = 1.0
"""Two dials of the same two nodes, one from each side, that met were begun within this."""

INTRODUCTION_SECONDS = 1.5
"""How long two connections of one key are held to find out whether two nodes have it."""

CLOSE_SECONDS = 1.0
"""How long a connection may take to say goodbye before its socket is closed."""
