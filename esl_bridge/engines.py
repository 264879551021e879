"""Which queue engine this installation runs on."""

from django.conf import settings
from django.utils.module_loading import import_string

from .backends.base import Backend


def backend_load() -> Backend:
    """The backend that the settings name. Raises ImportError."""
    backend: Backend = import_string(settings.SWITCH_BACKEND)()
    return backend
