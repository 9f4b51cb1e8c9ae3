from __future__ import annotations

from imaging import errors


def test_every_class_of_the_tree_but_its_trunk_is_a_leaf() -> None:
    classes = {
        each
        for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, errors.NoctisError)
    }
    trunk = {errors.NoctisError, errors.PermanentError, errors.TransientError}
    assert set(errors.leaves()) == classes - trunk


def test_no_error_is_both_permanent_and_transient() -> None:
    for leaf in errors.leaves():
        kinds = (errors.PermanentError, errors.TransientError)
        assert sum(issubclass(leaf, kind) for kind in kinds) == 1
