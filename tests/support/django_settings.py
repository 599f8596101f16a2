"""Django's settings, which a process has once."""

from __future__ import annotations


def configure_django() -> None:
    """As little as the tests need; harmless when it was done already."""
    import django
    from django.conf import settings

    if settings.configured:
        return
    settings.configure(
        USE_TZ=True,
        TIME_ZONE="Europe/Paris",
        LOGGING_CONFIG=None,
        ROOT_URLCONF=(),
        ALLOWED_HOSTS=["*"],
    )
    django.setup()
