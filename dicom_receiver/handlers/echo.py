"""C-ECHO: somebody asks whether we are there (PS3.4 Annex A)."""

from dicom_receiver import statuses
from dicom_receiver.association import Request


def answer_echo(request: Request) -> None:
    """Say yes."""
    request.respond(statuses.SUCCESS)
