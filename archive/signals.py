"""News that the archive announces upward, inside the transaction that makes it true."""

from django.dispatch import Signal

# Sent with studies=list[Study] after a batch of instances was indexed, and with
# changed=list[Study], those of them of which more than counts and last arrival
# may be new (left out: all of them). Receivers write their rows in the same
# transaction; what they raise undoes the batch.
studies_indexed = Signal()

# Sent with study=Study, locked, before anything of it is deleted. A receiver that still needs it
# raises ConflictError with words for people, and nothing is changed.
study_leaving = Signal()
