"""Resources on which several transactions meet: one view each, one method a transaction."""

from __future__ import annotations

from rest_framework.views import APIView

from dicomweb.search import AnyNegotiation, SearchView
from dicomweb.store import Storing


class StudiesView(Storing, SearchView):
    """`/studies`: GET searches, POST stores."""


class StudyView(Storing, APIView):
    """`/studies/{study}`: POST stores into it."""

    content_negotiation_class = AnyNegotiation
    schema = None
