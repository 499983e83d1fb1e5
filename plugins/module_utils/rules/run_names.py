# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that the collection's own tasks and plays set in a run. Written by `make generate` from them."""

from __future__ import annotations

NAMES: frozenset[str] = frozenset(
    {
        "access_client",
        "access_mtls_client",
        "access_mtls_client_state",
        "access_peer_public_key",
        "access_wireguard_peer",
        "ansible_become",
        "ansible_host",
        "ansible_ssh_common_args",
        "client_portal_verdict",
        "desktop",
        "desktop_minutes",
        "gateway_client",
        "gateway_desktop_password",
        "gateway_desktop_port",
        "gateway_desktop_user",
        "gateway_image",
        "gateway_image_accept",
        "gateway_image_found",
        "gateway_image_tried",
        "gateway_keep_lease",
        "gateway_look",
        "gateway_restart",
        "gateway_run_started",
        "gateway_sign_in",
        "gateway_start",
        "gateway_verdict",
        "gcp_vm_predicted",
        "hardening_pending",
        "hours_boot_minutes",
        "hours_instance",
        "hours_project",
        "hours_region",
        "hours_stop_minutes",
        "hours_zone",
        "live_check_client",
        "live_check_health",
        "live_check_report",
        "live_check_site_run",
        "maintenance_lease_seconds",
        "maintenance_resumed",
        "outcome",
        "paper_session_pipeline",
        "paper_session_stopped",
        "pipeline_host",
        "pipeline_minutes",
        "pipeline_project",
        "pipeline_region",
        "sandbox_vm_predicted",
    }
)
