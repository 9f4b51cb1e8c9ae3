"""How JSON in requests is read, everywhere."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser


class PlainJSONParser(JSONParser):
    """JSON that is nested no deeper than a request can be, its names of whole characters."""

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        """Read the body."""
        try:
            found = super().parse(stream, media_type, parser_context)
            _check_names(found)
        except RecursionError as error:
            raise ParseError(_("The JSON is nested too deeply.")) from error
        except UnicodeEncodeError as error:
            raise ParseError(_("A name in the JSON holds half a character.")) from error
        return found


def _check_names(value: Any) -> None:
    """Raise UnicodeEncodeError for half a surrogate pair in a name: no answer could repeat it."""
    if isinstance(value, dict):
        for name, one in value.items():
            name.encode()
            _check_names(one)
    elif isinstance(value, list):
        for one in value:
            if isinstance(one, list | dict):
                _check_names(one)
