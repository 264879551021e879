"""The operators' back room: what is configured goes through the services, what happened is read only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin, messages
from django.db.models import Model
from django.forms import ModelForm
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect

from .errors import CallCenterError
from .events import By, Cause
from .models import ApiToken, Event, SwitchCommand, SwitchNode

if TYPE_CHECKING:
    # Django's class takes type arguments only in its stubs.
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin


class ReadOnlyAdmin(ModelAdmin):
    """Rows to look at."""

    list_per_page = 50
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ServiceAdmin(ModelAdmin):
    """Rows that are made, changed and removed by services; a refusal is shown, not raised."""

    fixed: ClassVar[tuple[str, ...]] = ("name",)
    actions = None

    def make(self, by: By, fields: dict[str, Any]) -> Model:
        """Make a row by the service."""
        raise NotImplementedError

    def change(self, obj: Any, by: By, fields: dict[str, Any]) -> None:
        """Change a row by the service."""
        raise NotImplementedError

    def remove(self, obj: Any, by: By) -> None:
        """Remove a row by the service."""
        raise NotImplementedError

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self.fixed if obj is not None else ()

    def save_model(self, request: HttpRequest, obj: Any, form: ModelForm[Any], change: bool) -> None:
        by = _by(request)
        if change:
            self.change(obj, by, {name: form.cleaned_data[name] for name in form.changed_data})
        else:
            obj.pk = self.make(by, dict(form.cleaned_data)).pk

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self.remove(obj, _by(request))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        # What goes along is the service's business; the logs are read only and would forbid it.
        return [str(obj) for obj in objs], {}, set(), []

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except CallCenterError as refused:
            return self._show(request, refused)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> Any:
        try:
            return super().delete_view(request, object_id, extra_context)
        except CallCenterError as refused:
            return self._show(request, refused)

    def _show(self, request: HttpRequest, refused: CallCenterError) -> HttpResponseBase:
        fields = (f"{name}: {' '.join(map(str, why))}" for name, why in refused.fields.items())
        self.message_user(request, " ".join([refused.detail, *fields]), messages.ERROR)
        return redirect(request.path)


def _by(request: HttpRequest) -> By:
    return By(Cause.SUPERVISOR, request.user.get_username())


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ("seq", "type", "occurred_at", "cause", "actor")
    list_filter = ("type", "cause")
    date_hierarchy = "occurred_at"


@admin.register(SwitchCommand)
class SwitchCommandAdmin(ReadOnlyAdmin):
    list_display = ("id", "node", "kind", "key", "status", "answer", "actor", "created_at", "answered_at")
    list_filter = ("status", "kind", "node")
    search_fields = ("key", "answer")


@admin.register(SwitchNode)
class SwitchNodeAdmin(ReadOnlyAdmin):
    list_display = ("name", "connected", "since", "detail", "reconciled_at")


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    """Tokens are made by their users; an operator can revoke them."""

    list_display = ("name", "prefix", "user", "created_at", "expires_at", "last_used_at")
    list_select_related = ("user",)
    exclude = ("digest",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return ModelAdmin.has_delete_permission(self, request, obj)
