from django.urls import path

from .views import switch_config

urlpatterns = [path("config", switch_config, name="switch-config")]
