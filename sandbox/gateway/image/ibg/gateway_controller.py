#!/usr/bin/env python3
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where ibg-controller's image has its program: the stand-in's."""

from ibgw_standin.ibg import main

main()
