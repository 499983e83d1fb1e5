#!/usr/bin/python
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: host_calendar
short_description: Check times and time zones by the host's own time zone data
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - The control node's time zone data is not the host's. Debian 13 knows old names such as C(US/Eastern) or
    C(Asia/Calcutta) only with its package C(tzdata-legacy), and the watcher could not read a plan that has one.
  - Fails, before anything is written, when the host could not tell the time of a session or an appointment, or has no
    data for a zone.
  - The zone of a gateway has to be a current name, because its container has time zone data of its own.
options:
  time_zone:
    description: The zone of the gateway and its container, O(ibops.gateway.gateway#role:main.yml:gateway_time_zone).
    type: str
  paper_sessions:
    description: O(ibops.gateway.gateway#role:main.yml:gateway_paper_sessions).
    type: list
    elements: dict
    default: []
  sign_in_zone:
    description:
      - O(ibops.gateway.session#role:main.yml:session_sign_in_zone), where a live gateway signs in by appointment.
    type: str
attributes:
  check_mode:
    description: Checks the same; it never changes anything.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
  idempotent:
    description: Nothing is changed.
    support: full
"""

EXAMPLES = r"""
- name: Check that the host can read the plan
  ibops.gateway.host_calendar:
    time_zone: America/New_York
    paper_sessions:
      - {name: open, days: [mon], time: "09:30", zone: America/New_York, lead_minutes: 10, max_minutes: 90}
"""

RETURN = r"""
problems:
  description: The problems, each with C(id), C(variable), C(value), C(wrong), C(fix) and C(host), which is empty here.
  returned: always
  type: list
  elements: dict
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ibops.gateway.plugins.module_utils.host import calendar_data


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "time_zone": {"type": "str"},
            "paper_sessions": {"type": "list", "elements": "dict", "default": []},
            "sign_in_zone": {"type": "str"},
        },
        supports_check_mode=True,
    )
    given = module.params
    found = calendar_data.calendar_problems(given["time_zone"], given["paper_sessions"], given["sign_in_zone"])
    if found:
        lines = "\n- ".join(map(str, found))
        module.fail_json(msg=f"Nothing was changed. Fix:\n- {lines}", problems=[each._asdict() for each in found])
    module.exit_json(changed=False, problems=[])


if __name__ == "__main__":
    main()
