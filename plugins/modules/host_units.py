#!/usr/bin/python
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: host_units
short_description: Start, stop and mask many units of systemd in one process
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - Brings units to the wanted state, with one C(systemctl) call for all that need the same. Each call that enables
    something has systemd re-read every unit, so that a M(ansible.builtin.systemd_service) task a unit costs seconds.
  - Has to run as root.
options:
  units:
    description:
      - The state of each unit, by its full name.
      - V(started) is running now and at boot. A unit that its own conditions skip counts as running.
      - V(stopped) is neither running nor started at boot.
      - V(masked) is stopped, and nothing can start it.
      - A unit that does not exist is neither stopped nor masked; check mode takes it that one to start will exist.
    type: dict
    required: true
attributes:
  check_mode:
    description: Reports what would change and changes nothing.
    support: full
  diff_mode:
    description: Shows the states of the units that differ.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Keep the clock and the audit log, and no cron
  ibops.gateway.host_units:
    units:
      systemd-timesyncd.service: started
      auditd.service: started
      cron.service: stopped
"""

RETURN = r"""
units:
  description: The units that differed, and the state that each has now; in check mode, that it would have.
  returned: success
  type: dict
  sample: {auditd.service: started}
"""

import collections.abc as c

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ibops.gateway.plugins.module_utils.host import facts
from ansible_collections.ibops.gateway.plugins.module_utils.rules.hardening import services_to_change

STATES = ("started", "stopped", "masked")
Found = c.Mapping[str, c.Mapping[str, bool]]


def commands(wanted: c.Mapping[str, str], found: Found) -> list[list[str]]:
    """The calls of systemctl that bring units to their *wanted* states, in order."""
    started, stopped, masked = ([unit for unit, state in wanted.items() if state == each] for each in STATES)
    calls = {
        ("mask", "--now"): masked,
        ("disable", "--now"): stopped,
        ("unmask",): [unit for unit in started if found[unit]["masked"]],
        ("enable",): [unit for unit in started if not (found[unit]["enabled"] or found[unit]["static"])],
        ("start",): [unit for unit in started if not found[unit]["active"]],
    }
    return [["systemctl", *call, "--", *units] for call, units in calls.items() if units]


def shown(units: c.Iterable[str], found: Found) -> str:
    """A line a unit: `auditd.service: exists enabled active`."""
    return "".join(f"{unit}: {' '.join(name for name, is_so in found[unit].items() if is_so)}\n" for unit in units)


def main() -> None:
    module = AnsibleModule(argument_spec={"units": {"type": "dict", "required": True}}, supports_check_mode=True)
    units = module.params["units"]
    for unit, state in units.items():
        if state not in STATES:
            module.fail_json(
                msg=f"units: {unit} cannot be {state!r}. Write one of {', '.join(STATES)}. Nothing was changed."
            )
    found = facts.services(list(units))
    wanted = services_to_change(units, found, module.check_mode)
    if not module.check_mode:
        for command in commands(wanted, found):
            status, _output, said = module.run_command(command)
            if status:
                module.fail_json(
                    msg=f"{' '.join(command)}: {said.strip()} The units before these are as wanted, and so are "
                    "those of these that could be; fix the cause and run again."
                )
    after = "".join(f"{unit}: {state}\n" for unit, state in wanted.items())
    module.exit_json(changed=bool(wanted), units=wanted, diff={"before": shown(wanted, found), "after": after})


if __name__ == "__main__":
    main()
