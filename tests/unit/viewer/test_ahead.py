"""What comes next lies on the side to which a request reaches farther."""

import pytest

from viewer.ahead import following


@pytest.mark.parametrize(
    ("indices", "expected"),
    [
        ([10], range(11, 19)),
        ([10, 11, 12, 9, 13, 14, 15, 8], range(16, 24)),
        ([10, 9, 8, 11, 7, 6, 5, 12], range(4, -1, -1)),
        ([98, 99], []),
        ([2, 1, 0], []),
    ],
)
def test_what_follows_a_request(indices: list[int], expected: list[int]) -> None:
    assert following(indices, 100) == list(expected)
