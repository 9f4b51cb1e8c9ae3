"""What people look for in other archives, as they type it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from dicom_receiver.remote.answers import Question
from dicom_receiver.remote.exchanges import AnyPeer, find_queryable
from worklist.filters import MODALITIES

LONGEST_TEXT = 64


def _text_field(label: Any) -> forms.CharField:
    return forms.CharField(label=label, required=False, max_length=LONGEST_TEXT, strip=True)


def _day_field(label: Any) -> forms.DateField:
    widget = forms.DateInput(attrs={"type": "date"})
    return forms.DateField(label=label, required=False, widget=widget)


class QuestionForm(forms.Form):
    """One archive, and what narrows the question; something that narrows well is asked for."""

    peer = forms.ChoiceField(label=_("Archive"))
    name = _text_field(_("Patient name"))
    id = _text_field(_("Patient ID"))
    accession = _text_field(_("Accession number"))
    first = _day_field(_("Studies from"))
    last = _day_field(_("to"))
    modality = forms.ChoiceField(
        label=_("Modality"),
        required=False,
        choices=[("", _("Any")), *((name, name) for name in MODALITIES)],
    )
    description = _text_field(_("Description"))

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.peers: dict[str, AnyPeer] = {str(peer.pk): peer for peer in find_queryable(user)}
        field = self.fields["peer"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(key, str(peer)) for key, peer in self.peers.items()]

    def clean(self) -> dict[str, Any]:
        """Refuse a question to which the whole archive would be the answer."""
        cleaned = super().clean() or self.cleaned_data
        first, last = cleaned.get("first"), cleaned.get("last")
        if first and last and first > last:
            self.add_error("last", _("The last day lies before the first day."))
        narrow = ("name", "id", "accession", "first", "last")
        texts = [str(cleaned.get(name) or "").strip("*? ") for name in narrow]
        if not self.errors and not any(texts):
            words = _("Give at least a name, an ID, an accession number or days.")
            self.add_error(None, words)
        return cleaned

    @property
    def chosen(self) -> AnyPeer:
        """Return the peer of a valid form."""
        return self.peers[self.cleaned_data["peer"]]

    @property
    def question(self) -> Question:
        """Return the question of a valid form."""
        asked = self.cleaned_data
        return Question(
            patient_name=asked["name"],
            patient_id=asked["id"],
            accession_number=asked["accession"],
            first=asked["first"],
            last=asked["last"],
            modality=asked["modality"],
            description=asked["description"],
        )
