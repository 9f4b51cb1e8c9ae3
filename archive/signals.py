"""News that the archive announces upward, inside the transaction that makes it true."""

from django.dispatch import Signal

# Sent with studies=list[Study] (counts as saved) after a batch of instances was
# indexed. Receivers write their rows in the same transaction; what they raise
# undoes the batch.
studies_indexed = Signal()
