"""The roles that a user can be given: groups, whose names `callcenter.permissions` knows."""

from django.db import migrations

ROLES = ("administrator", "integrator", "supervisor")


def make_groups(apps, schema_editor):
    groups = apps.get_model("auth", "Group").objects.using(schema_editor.connection.alias)
    for name in ROLES:
        groups.get_or_create(name=name)


class Migration(migrations.Migration):
    dependencies = [
        ("callcenter", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    # Taken back, the groups stay: people are in them.
    operations = [migrations.RunPython(make_groups, migrations.RunPython.noop)]
