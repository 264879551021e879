"""An agent's own stream and commands."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any, ClassVar, Protocol, TypeAlias

import msgspec
from django.contrib.auth.models import User
from msgspec import Meta, Struct

from callcenter.errors import NotAllowed
from callcenter.events import By, Cause
from callcenter.frames import STREAM_FRAMES, BadFrame, RequestId, Result, convert
from callcenter.hub import in_database
from callcenter.permissions import role_of
from callcenter.sockets import Limits, StreamSocket, Visitor

from . import services
from .models import Agent
from .selectors import agent_payload
from .state import Sub

Text = Annotated[str, Meta(max_length=255)]


class Command(Struct, tag="command", forbid_unknown_fields=True):
    """An order of the agent; answered with `result` or `error`, both with the same `id`."""

    id: RequestId
    command: Annotated[str, Meta(max_length=64)]
    data: dict[str, Any] = {}


class Nothing(Struct, forbid_unknown_fields=True):
    """The data of a command that needs none."""


class Login(Struct, forbid_unknown_fields=True):
    """Where the agent sits, and the names of the queues to sign in to (default: all of the agent's)."""

    extension: Text = ""
    queues: Annotated[list[Text], Meta(max_length=1000)] | None = None


class Unready(Struct, forbid_unknown_fields=True):
    """Why the agent takes no calls."""

    sub_state: Text = str(Sub.BREAK)
    reason: Text = ""


class ExtendAcw(Struct, forbid_unknown_fields=True):
    """More time for after-call work, in seconds."""

    seconds: int


class SignIn(Protocol):
    """The service that signs in to queues; queues are above agents, so it is handed in."""

    def __call__(
        self, *, agent_id: uuid.UUID, by: By, extension: str = "", queues: list[str] | None = None
    ) -> Agent: ...


Commands: TypeAlias = Mapping[str, tuple[type[Struct], Callable[..., Agent]]]
COMMANDS: Commands = {
    "logout": (Nothing, services.agent_logout),
    "ready": (Nothing, services.agent_ready),
    "unready": (Unready, services.agent_unready),
    "withdraw_next": (Nothing, services.agent_withdraw_next),
    "finish_acw": (Nothing, services.agent_finish_acw),
    "extend_acw": (ExtendAcw, services.agent_extend_acw),
}


class AgentConsumer(StreamSocket):
    """`/ws/v1/agent`: what concerns the agent that the user is, and the agent's commands."""

    frames: ClassVar[Mapping[str, type[Struct]]] = {**STREAM_FRAMES, "command": Command}

    def __init__(
        self,
        *,
        snapshot: Callable[[uuid.UUID], dict[str, Any]],
        sign_in: SignIn,
        limits: Limits | None = None,
    ) -> None:
        super().__init__(limits=limits)
        self._snapshot = snapshot
        self._commands: Commands = {**COMMANDS, "login": (Login, sign_in)}

    def admit(self, user: User) -> Visitor:
        agent = Agent.objects.filter(user=user).values_list("pk", flat=True).first()
        if agent is None:
            raise NotAllowed("You are not an agent.", code="not_an_agent")
        return Visitor(user.pk, user.get_username(), role_of(user), agent)

    def read_snapshot(self, visitor: Visitor) -> dict[str, Any]:
        assert visitor.agent is not None
        return self._snapshot(visitor.agent)

    async def handle(self, frame: msgspec.Struct, visitor: Visitor) -> None:
        assert isinstance(frame, Command)
        if frame.command not in self._commands:
            detail = f"Known commands: {', '.join(sorted(self._commands))}."
            raise BadFrame(detail, code="unknown_command", request_id=frame.id)
        wanted, service = self._commands[frame.command]
        data = convert(frame.data, wanted, request_id=frame.id)
        agent = await in_database(self._obey, partial(service, **msgspec.structs.asdict(data)))
        await self.say(Result(frame.id, agent))

    def _obey(self, service: Callable[..., Agent]) -> dict[str, Any]:
        visitor = self.visitor_now()
        agent = service(agent_id=visitor.agent, by=By(Cause.AGENT, visitor.username))
        return agent_payload(agent)
