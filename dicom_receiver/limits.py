"""The bounds of the DICOM port: what one connection may cost before it is ended.

Bytes are those on the wire, times are seconds. What an administrator may
change comes from the settings; the rest is fixed by the protocol or by the
promise that one bad neighbour never keeps the others out.
"""

from __future__ import annotations

from django.conf import settings

# --- before there is an association (the front door, PS3.8 9.1.2) ------------
REQUEST_BYTES = 1024 * 1024
REQUEST_SECONDS = float(settings.NOCTIS_REQUEST_SECONDS)
WAITING_CONNECTIONS = int(settings.NOCTIS_MAX_WAITING)
WAITING_BYTES = 32 * 1024 * 1024

# --- TLS: connections that have said hello and are no association yet ---------
HANDSHAKES = int(settings.NOCTIS_MAX_HANDSHAKES)
HANDSHAKES_AN_ADDRESS = max(1, HANDSHAKES // 2)

# --- the receiver's own processes ----------------------------------------------
SILENT_SECONDS = float(settings.NOCTIS_SILENT_SECONDS)
START_SECONDS = 180.0

# --- what an association request may contain (PS3.8 9.3.2) -------------------
PRESENTATION_CONTEXTS = 128
REQUEST_ITEMS = 16_384
SMALLEST_PEER_PDU_BYTES = 64

# --- inside an association -----------------------------------------------------
COMMAND_BYTES = 64 * 1024
IDLE_SECONDS = float(settings.NOCTIS_IDLE_SECONDS)
PDU_SECONDS = float(settings.NOCTIS_PDU_SECONDS)
SEND_SECONDS = PDU_SECONDS
RATE_WINDOW_SECONDS = 60.0
RATE_WINDOW_BYTES = int(settings.NOCTIS_SLOWEST_KB_A_MINUTE) * 1024
TICK_SECONDS = 0.5
GOODBYE_SECONDS = 2.0

# --- associations that we ask for ------------------------------------------------
CONNECT_SECONDS = float(settings.NOCTIS_CONNECT_SECONDS)
ANSWER_SECONDS = float(settings.NOCTIS_ANSWER_SECONDS)
RELEASE_SECONDS = 5.0
RESPONSE_BYTES = 1024 * 1024
LARGEST_SENT_PDU_BYTES = 256 * 1024

# --- the end: 25 seconds in all, of which the parent keeps three for itself ----
DRAIN_SECONDS = 20.0
STOP_SECONDS = 22.0


def max_pdu_bytes() -> int:
    """Return the P-DATA-TF length that we announce and never exceed (PS3.8 D.1)."""
    return int(settings.NOCTIS_MAX_PDU)


def associations_per_address() -> int:
    """Return how many associations one address may hold at the same time."""
    return int(settings.NOCTIS_MAX_ASSOCIATIONS_PER_ADDRESS)
