# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs that can sign a gateway in, by name, and which one a container or an image runs."""

from __future__ import annotations

from collections.abc import Mapping

from .ibc import IBC
from .ibg_controller import IBG_CONTROLLER
from .marks import Controller

# A further controller is one more table, here.
TABLES = {each.name: each for each in (IBC, IBG_CONTROLLER)}
DEFAULT = IBC.name
# ibg-controller's image has this label, and starts it where the variable says so, IBC otherwise (its run.sh, L257).
IBG_LABEL, IBG_SWITCH = "com.ibg-controller.ib-gateway-version", "USE_IBG_CONTROLLER"


def by_name(name: str) -> Controller:
    """Return the table of controller *name*; KeyError for one that is not known."""
    return TABLES[name]


def controller_of(labels: Mapping[str, str], environment: Mapping[str, str]) -> str:
    """Return the name of the controller that a container with these labels and this environment runs.

    Both are those of the engine's ``Config``, the image's or the container's; of an image alone, the environment is
    what its container will have, since the image itself does not switch its controller on.
    """
    on = IBG_LABEL in labels and environment.get(IBG_SWITCH) == "yes"
    return IBG_CONTROLLER.name if on else IBC.name


def mixed(wanted: str, labels: Mapping[str, str], environment: Mapping[str, str]) -> str | None:
    """Return why a container that is meant for controller *wanted* may not be started with these; None if it may."""
    runs = controller_of(labels, environment)
    if runs == wanted:
        return None
    if wanted != IBG_CONTROLLER.name:
        return f"its image would run {by_name(runs).title}, and it is deployed for {by_name(wanted).title}"
    missing = f"the image has no label {IBG_LABEL}" if IBG_LABEL not in labels else f"{IBG_SWITCH} is not yes"
    return f"it is deployed for {by_name(wanted).title}, but {missing}, so that {by_name(runs).title} would run"
