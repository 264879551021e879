"""`manage.py create_api_token USER`: a token for a program."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from callcenter.permissions import Role, role_of
from callcenter.selectors import api_token_payload
from callcenter.serializers import TokenBody
from callcenter.services import api_token_create


class Command(BaseCommand):
    help = "Make an API token for a user and print it. It is shown this once and cannot be read later."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="the user name")
        parser.add_argument("--name", default="command line", help="what the token is for")
        parser.add_argument("--days", type=int, help="days until it expires; without it, never")
        parser.add_argument("--json", action="store_true", help="print the token's record as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"There is no user {options['user']}.")
        if role_of(user) is Role.NOBODY:
            self.stderr.write(f"{user} has no role and is no agent: the token will open nothing.")
        body = TokenBody(data={"name": options["name"], "days": options["days"]})
        if not body.is_valid():
            raise CommandError("; ".join(f"--{field}: {' '.join(why)}" for field, why in body.errors.items()))
        days = body.validated_data["days"]
        token, secret = api_token_create(
            user=user, name=body.validated_data["name"], lifetime=timedelta(days) if days else None
        )
        shown = json.dumps(api_token_payload(token) | {"token": secret}) if options["json"] else secret
        self.stdout.write(shown)
