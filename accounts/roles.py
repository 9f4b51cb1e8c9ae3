"""What a role brings along beyond `visible_to`."""

from __future__ import annotations

from accounts.models import Role, User

STAFF_ROLES = frozenset({Role.ADMIN.value, Role.FACILITY_ADMIN.value})


def apply_role(user: User, role: str) -> None:
    """Give the user, not saved, a role and Django's own marks that go with it."""
    user.role = role
    user.is_staff = role in STAFF_ROLES
    user.is_superuser = role == Role.ADMIN


def roles_to_grant(user: User) -> list[tuple[str, str]]:
    """Return the choices of roles that the user may give to others."""
    return [
        (value, str(label))
        for value, label in Role.choices
        if value != Role.ADMIN or user.is_archive_admin
    ]
