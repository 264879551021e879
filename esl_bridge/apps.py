from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class EslBridgeConfig(AppConfig):
    name = "esl_bridge"
    verbose_name = _("Switch bridge")
