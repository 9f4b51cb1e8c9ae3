"""Why an association did not come about, or came to an early end: a code, and words for the log.

The code is what the diary and the counts keep; the doctor's page has words for people.
"""

from __future__ import annotations

import enum


class Cause(enum.Enum):
    """A name for the rows, words for the log."""

    # --- before there is an association --------------------------------------
    NOT_DICOM = "what came is not an association request"
    IMPOSSIBLE_LENGTH = "association request has an impossible length"
    TOO_SLOW = "association request came too slowly"
    NO_TLS = "an association request without TLS"
    TLS_ON_PLAIN_PORT = "a TLS handshake on the port without TLS"
    TLS = "no agreement on TLS"

    # --- rejected -------------------------------------------------------------
    MALFORMED = "the association request is broken"
    LIMIT = "local limit exceeded"
    NO_PROCESS = "no receiver process is ready"
    NO_PEERS = "peers cannot be read from the database"
    PROTOCOL_VERSION = "protocol version is not supported"
    APPLICATION_CONTEXT = "application context is not supported"
    CALLED_UNKNOWN = "called AE title is not ours"
    TITLE_UNREADABLE = "calling AE title is not printable text"
    PDU_TOO_SMALL = "maximum length is too small to answer in"
    CALLING_UNKNOWN = "calling AE title is unknown"
    INACTIVE = "peer is not active"
    OTHER_ADDRESS = "peer calls from another address"
    OTHER_CERTIFICATE = "peer shows another certificate"
    NO_CERTIFICATE = "peer shows no certificate"

    # --- ended early ------------------------------------------------------------
    LOST = "the other side is gone"
    PROTOCOL = "the other side broke the protocol"
    STOPPING = "we are stopping"
    FAILED = "we failed"

    @property
    def code(self) -> str:
        """The name in rows and metrics."""
        return self.name.lower()
