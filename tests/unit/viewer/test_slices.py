"""Images of a series by their place, for scripts."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from django.test import Client
from PIL import Image

from accounts.models import User
from archive.models import Series


@pytest.mark.django_db(transaction=True)
def test_an_image_is_found_by_its_place_along_the_patient(
    ct_series: Series, rada: User, fiona: User, client_of: Callable[[User], Client]
) -> None:
    browser, address = client_of(rada), f"/api/v1/series/{ct_series.pk}/slices"
    for index in (0, 3, 5):
        # Slice i holds i everywhere, -1024 + i after rescaling.
        answer = browser.get(f"{address}/{index}.png?window=-1021.5,6")
        shown = np.asarray(Image.open(io.BytesIO(answer.content)))
        grey = ((index - 1024 - (-1021.5 - 0.5)) / 5 + 0.5) * 255
        assert (shown.shape, set(shown.ravel())) == ((128, 128), {int(np.clip(grey, 0, 255) + 0.5)})
        assert answer["X-Slice-Count"] == "6"
    assert browser.get(f"{address}/6.png").status_code == 404
    assert browser.get(f"{address}/0.png?window=a").status_code == 400
    assert browser.get(f"{address}/0.png?size=9").status_code == 400
    assert client_of(fiona).get(f"{address}/0.png").status_code == 404
