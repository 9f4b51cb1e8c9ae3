"""A presentation state for the page: what it applies to which image, and in words."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser
from django.utils.translation import gettext as _

from accounts.models import User
from archive.models import Instance
from imaging.elements import ElementView
from imaging.presentation import Annotation, Area, Graphic, State, Words, read_state
from imaging.sr_tree import Reference
from viewer.mark_rows import key_of_uid
from viewer.object_kinds import Document, Places, facts_of


def describe_state(user: User | AnonymousUser, instance: Instance, header: ElementView) -> Document:
    """Return facts for people and `applies` for the page.

    References in `applies` name instances by key, frames from 0; an empty list means all images
    of the state. `mark` is the key of the mark here that a graphic was written from, if it was.
    Graphics are in pixels of the stored image, centre of the first at (0, 0), or
    with units `DISPLAY` in parts of the displayed area.
    """
    state = read_state(header)
    places = Places(user, instance, state.images)

    def keys(references: tuple[Reference, ...]) -> list[Document]:
        return [places.describe(one) for one in references]

    words = [_("More marks than are shown.")] if state.left_out else []
    if state.unknown:
        words.append(_("Not applied here: %(what)s.") % {"what": ", ".join(_name_unknown(state))})
    return {
        "title": state.label or state.description,
        "facts": facts_of(
            (_("Description"), state.description),
            (_("Made by"), state.creator),
            (_("Applies"), ", ".join(_find_words(state))),
        ),
        "notes": words,
        "images": [places.describe(one) for one in state.images],
        "applies": {
            "greys": [
                {
                    "images": keys(one.images),
                    "window": list(one.window) if one.window else None,
                    "function": one.function,
                    "explanation": one.explanation,
                }
                for one in state.greys
            ],
            "inverted": state.is_inverted,
            "rotation_deg": state.rotation_deg,
            "flipped": state.is_flipped,
            "areas": [_area(one, keys(one.images)) for one in state.areas],
            "shutter": state.shutter,
            "layers": [{"name": name, "colour": colour} for name, colour in state.layers.items()],
            "annotations": [_annotation(one, keys(one.images)) for one in state.annotations],
        },
    }


def _name_unknown(state: State) -> list[str]:
    names = {
        "ModalityLUTSequence": _("a table of modality values"),
        "PresentationLUTSequence": _("a presentation table"),
        "VOILUTSequence": _("a table of grey values"),
        "MaskSubtractionSequence": _("subtraction"),
        "BlendingSequence": _("blending"),
        "AdvancedBlendingSequence": _("blending"),
        "RedPaletteColorLookupTableData": _("colours"),
        "CompoundGraphicSequence": _("compound graphics"),
        "OverlayData": _("overlays"),
        "VolumetricPresentationInputSetSequence": _("a view of a volume"),
    }
    return list(dict.fromkeys(names[keyword] for keyword in state.unknown))


def _find_words(state: State) -> list[str]:
    graphics = sum(len(one.graphics) + len(one.words) for one in state.annotations)
    return [
        word
        for word, is_so in (
            (_("window"), any(one.window for one in state.greys)),
            (_("inversion"), state.is_inverted),
            (_("rotation"), state.rotation_deg != 0),
            (_("flip"), state.is_flipped),
            (_("displayed area"), bool(state.areas)),
            (_("shutter"), state.shutter is not None),
            (_("marks"), graphics > 0),
        )
        if is_so
    ]


def _area(area: Area, images: list[Document]) -> Document:
    return {
        "images": images,
        "top_left": list(area.top_left),
        "bottom_right": list(area.bottom_right),
        "mode": area.mode,
        "magnification": area.magnification,
    }


def _annotation(annotation: Annotation, images: list[Document]) -> Document:
    return {
        "images": images,
        "graphics": [_graphic(one) for one in annotation.graphics],
        "words": [_words(one) for one in annotation.words],
    }


def _graphic(graphic: Graphic) -> Document:
    return {
        "kind": graphic.kind,
        "points": [list(point) for point in graphic.points],
        "units": graphic.units,
        "filled": graphic.is_filled,
        "colour": graphic.colour,
        "style": graphic.style.to_json(),
        "layer": graphic.layer,
        "mark": _mark_of(graphic.uid),
    }


def _words(words: Words) -> Document:
    return {
        "text": words.text,
        "anchor": list(words.anchor) if words.anchor else None,
        "anchor_units": words.anchor_units,
        "box": list(words.box) if words.box else None,
        "box_units": words.box_units,
        "layer": words.layer,
        "mark": _mark_of(words.uid),
    }


def _mark_of(uid: str) -> str | None:
    key = key_of_uid(uid)
    return None if key is None else str(key)
