#!/usr/bin/env python3
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in, at the path of ibg-controller's program in its image."""

from ibgw_standin.ibg import main

main()
