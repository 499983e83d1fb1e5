# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The frame of an action that is the whole of its module: it runs on the control node, and contacts no host."""

from __future__ import annotations

import abc
import typing as t

from ansible.plugins.action import ActionBase


class LocalAction(ActionBase):
    """Checks the task's arguments against ``ARGUMENTS``, and hands them to ``act``."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    ARGUMENTS: t.ClassVar[dict[str, dict[str, t.Any]]]

    def run(self, tmp: object = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        _result, arguments = self.validate_argument_spec(argument_spec=self.ARGUMENTS)
        return self.act(arguments, task_vars or {})

    @abc.abstractmethod
    def act(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return the task's result."""
