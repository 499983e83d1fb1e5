# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for Interactive Brokers Gateway under IBC: the login walk, the command server and the TWS API.

Three entry points, one implementation:

* ``python3 -m ibgw_standin`` serves the TWS API alone (:mod:`ibgw_standin.__main__`);
* the image of ``sandbox/gateway/build`` walks the whole of IBC (:mod:`ibgw_standin.ibc`);
* :func:`ibgw_standin.testing.running` runs either for the length of a test.

Only the standard library is used.
"""

from __future__ import annotations
