# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs that can sign a gateway in, by name, and which one a container or an image runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .ibc import IBC
from .ibg_controller import IBG_CONTROLLER
from .marks import Controller

# To add a controller, add its table here.
TABLES = {each.name: each for each in (IBC, IBG_CONTROLLER)}
DEFAULT = IBC.name
# ibg-controller's image has this label, and starts it where this variable is set, else IBC (its run.sh, L257).
IBG_LABEL, IBG_SWITCH = "com.ibg-controller.ib-gateway-version", "USE_IBG_CONTROLLER"


def by_name(name: str) -> Controller:
    """Return the table of controller *name*; KeyError for one that is not known."""
    return TABLES[name]


def of_image(config: Mapping[str, Any]) -> str:
    """Return the name of the controller that an image with this ``Config`` (the engine's, with Labels) was built for.

    ibg-controller's image has IBC as well, and starts it unless the container's environment enables ibg-controller.
    """
    return IBG_CONTROLLER.name if IBG_LABEL in (config.get("Labels") or {}) else IBC.name


def controller_of(config: Mapping[str, Any]) -> str:
    """Return the name of the controller that a container of this ``Config`` (with Labels and Env) runs."""
    on = f"{IBG_SWITCH}=yes" in (config.get("Env") or ())
    return of_image(config) if on else IBC.name


def mixed(wanted: str, config: Mapping[str, Any]) -> str | None:
    """Return why a container with this ``Config`` does not run controller *wanted*; None where it does."""
    runs, meant = by_name(controller_of(config)).title, by_name(wanted).title
    if runs == meant:
        return None
    if wanted == IBC.name:
        return f"its image would run {runs}, and it is deployed for {meant}"
    missing = (
        f"{IBG_SWITCH} is not yes" if IBG_LABEL in (config.get("Labels") or {}) else f"the image has no {IBG_LABEL}"
    )
    return f"it is deployed for {meant}, but {missing}, so that {runs} would run"
