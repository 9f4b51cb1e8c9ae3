"""Resources on which several transactions meet: one view each, one method a transaction."""

from __future__ import annotations

from dicomweb.delete import Deleting
from dicomweb.retrieve import InstanceView, RetrieveView
from dicomweb.search import SearchView
from dicomweb.store import Storing


class StudiesView(Storing, SearchView):
    """`/studies`: GET searches, POST stores."""


class StudyView(Deleting, Storing, RetrieveView):
    """`/studies/{study}`: GET retrieves it, POST stores into it, DELETE takes it out."""


class SeriesView(Deleting, RetrieveView):
    """`…/series/{series}`: GET retrieves it, DELETE takes it out."""


class OneInstanceView(Deleting, InstanceView):
    """`…/instances/{instance}`: GET retrieves it, DELETE takes it out."""
