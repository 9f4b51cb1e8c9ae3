"""What answers which command of which service."""

from dicom_receiver import command
from dicom_receiver.association import Handlers
from dicom_receiver.contexts import Service
from dicom_receiver.handlers.commit import take_report, take_request
from dicom_receiver.handlers.echo import answer_echo
from dicom_receiver.handlers.find import find_matches
from dicom_receiver.handlers.get import get_instances
from dicom_receiver.handlers.move import move_instances
from dicom_receiver.handlers.mpps import change_step, create_step, read_step
from dicom_receiver.handlers.mwl import find_worklist
from dicom_receiver.handlers.store import store_instance

HANDLERS: Handlers = {
    (Service.ECHO, command.C_ECHO_RQ): answer_echo,
    (Service.STORE, command.C_STORE_RQ): store_instance,
    (Service.COMMIT, command.N_ACTION_RQ): take_request,
    (Service.COMMIT, command.N_EVENT_REPORT_RQ): take_report,
    (Service.FIND, command.C_FIND_RQ): find_matches,
    (Service.MWL, command.C_FIND_RQ): find_worklist,
    (Service.MPPS, command.N_CREATE_RQ): create_step,
    (Service.MPPS, command.N_SET_RQ): change_step,
    (Service.MPPS, command.N_GET_RQ): read_step,
    (Service.MOVE, command.C_MOVE_RQ): move_instances,
    (Service.GET, command.C_GET_RQ): get_instances,
}
