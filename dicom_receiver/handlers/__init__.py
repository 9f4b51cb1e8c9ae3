"""What answers which command of which service."""

from dicom_receiver import command
from dicom_receiver.association import Handlers
from dicom_receiver.contexts import Service
from dicom_receiver.handlers.echo import answer_echo
from dicom_receiver.handlers.store import store_instance

HANDLERS: Handlers = {
    (Service.ECHO, command.C_ECHO_RQ): answer_echo,
    (Service.STORE, command.C_STORE_RQ): store_instance,
}
