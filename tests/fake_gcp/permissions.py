"""The IAM permissions that each method needs, as the reference of each method lists them.

Compute Engine: https://cloud.google.com/compute/docs/reference/rest/v1, "IAM Permissions" of each method.
Cloud Run: https://cloud.google.com/run/docs/reference/iam/permissions
Cloud Monitoring: https://cloud.google.com/monitoring/access-control
Cloud Logging: https://cloud.google.com/logging/docs/access-control
Cloud Scheduler: https://cloud.google.com/scheduler/docs/access-control
A method that is not here is refused by the fake. iam.serviceAccounts.actAs is granted on the service account itself.
"""

from __future__ import annotations

from tests.fake_gcp.state import LISTED

POLICY = "compute.networks.updatePolicy"
PERMISSIONS: dict[str, tuple[str, ...]] = {
    "compute.addresses.delete": ("compute.addresses.delete", "compute.addresses.deleteInternal"),
    "compute.addresses.get": ("compute.addresses.get",),
    "compute.addresses.insert": (
        *("compute.addresses.create", "compute.addresses.createInternal", "compute.addresses.setLabels"),
        "compute.subnetworks.use",
    ),
    "compute.addresses.list": ("compute.addresses.list",),
    "compute.addresses.setLabels": ("compute.addresses.setLabels",),
    "compute.disks.addResourcePolicies": ("compute.disks.addResourcePolicies", "compute.resourcePolicies.use"),
    "compute.disks.aggregatedList": ("compute.disks.list",),
    "compute.disks.get": ("compute.disks.get",),
    "compute.disks.removeResourcePolicies": ("compute.disks.removeResourcePolicies",),
    "compute.disks.resize": ("compute.disks.resize",),
    "compute.disks.setLabels": ("compute.disks.setLabels",),
    "compute.firewalls.delete": ("compute.firewalls.delete", POLICY),
    "compute.firewalls.get": ("compute.firewalls.get",),
    "compute.firewalls.insert": ("compute.firewalls.create", POLICY),
    "compute.firewalls.list": ("compute.firewalls.list",),
    "compute.firewalls.update": ("compute.firewalls.update", "compute.firewalls.get", POLICY),
    **{f"compute.{each}.aggregatedList": (f"compute.{each}.list",) for each in ("addresses", *LISTED)},
    "compute.routes.list": ("compute.routes.list",),
    "compute.snapshots.list": ("compute.snapshots.list",),
    "compute.globalOperations.wait": ("compute.globalOperations.get",),
    # Google's public images are everybody's; these are for those of one's own.
    "compute.images.get": ("compute.images.get",),
    "compute.images.getFromFamily": ("compute.images.getFromFamily",),
    "compute.instances.addAccessConfig": (
        *("compute.instances.addAccessConfig", "compute.addresses.use", "compute.subnetworks.useExternalIp"),
    ),
    "compute.instances.aggregatedList": ("compute.instances.list",),
    "compute.instances.delete": ("compute.instances.delete",),
    "compute.instances.deleteAccessConfig": ("compute.instances.deleteAccessConfig",),
    "compute.instances.get": ("compute.instances.get",),
    "compute.instances.getGuestAttributes": ("compute.instances.getGuestAttributes",),
    "compute.instances.insert": (
        *("compute.addresses.use", "compute.addresses.useInternal", "compute.disks.create", "compute.disks.setLabels"),
        *("compute.instances.create", "compute.instances.setLabels", "compute.instances.setMetadata"),
        *("compute.instances.setServiceAccount", "compute.instances.setTags", "compute.resourcePolicies.use"),
        *("compute.snapshots.useReadOnly", "compute.subnetworks.use", "compute.subnetworks.useExternalIp"),
    ),
    "compute.instances.setDeletionProtection": ("compute.instances.setDeletionProtection",),
    "compute.instances.setDiskAutoDelete": ("compute.instances.setDiskAutoDelete", "compute.disks.update"),
    "compute.instances.setLabels": ("compute.instances.setLabels",),
    "compute.instances.setMachineType": ("compute.instances.setMachineType",),
    "compute.instances.setMetadata": ("compute.instances.setMetadata",),
    "compute.instances.setScheduling": ("compute.instances.setScheduling",),
    "compute.instances.setServiceAccount": ("compute.instances.setServiceAccount",),
    "compute.instances.setTags": ("compute.instances.setTags",),
    "compute.instances.start": ("compute.instances.start",),
    "compute.instances.stop": ("compute.instances.stop",),
    "compute.instances.updateShieldedInstanceConfig": ("compute.instances.updateShieldedInstanceConfig",),
    "compute.machineTypes.get": ("compute.machineTypes.get",),
    "compute.networks.delete": ("compute.networks.delete",),
    "compute.networks.get": ("compute.networks.get",),
    "compute.networks.insert": ("compute.networks.create",),
    "compute.networks.patch": ("compute.networks.update",),
    "compute.regionOperations.wait": ("compute.regionOperations.get",),
    "compute.resourcePolicies.delete": ("compute.resourcePolicies.delete",),
    "compute.resourcePolicies.get": ("compute.resourcePolicies.get",),
    "compute.resourcePolicies.insert": ("compute.resourcePolicies.create",),
    "compute.resourcePolicies.patch": ("compute.resourcePolicies.update",),
    "compute.routers.delete": ("compute.routers.delete", POLICY),
    "compute.routers.get": ("compute.routers.get",),
    "compute.routers.insert": ("compute.routers.create", POLICY),
    "compute.routers.list": ("compute.routers.list",),
    "compute.routers.patch": ("compute.routers.update", "compute.routers.get", POLICY),
    "compute.routers.update": ("compute.routers.update", "compute.routers.get", POLICY),
    "compute.subnetworks.delete": ("compute.subnetworks.delete", POLICY),
    "compute.subnetworks.expandIpCidrRange": ("compute.subnetworks.expandIpCidrRange",),
    "compute.subnetworks.get": ("compute.subnetworks.get",),
    "compute.subnetworks.insert": ("compute.subnetworks.create", POLICY),
    "compute.subnetworks.list": ("compute.subnetworks.list",),
    "compute.subnetworks.patch": ("compute.subnetworks.update",),
    "compute.subnetworks.setPrivateIpGoogleAccess": ("compute.subnetworks.setPrivateIpGoogleAccess",),
    "compute.zoneOperations.wait": ("compute.zoneOperations.get",),
    "cloudscheduler.jobs.create": ("cloudscheduler.jobs.create",),
    "cloudscheduler.jobs.delete": ("cloudscheduler.jobs.delete",),
    "cloudscheduler.jobs.list": ("cloudscheduler.jobs.list",),
    "cloudscheduler.jobs.patch": ("cloudscheduler.jobs.update",),
    "cloudscheduler.jobs.pause": ("cloudscheduler.jobs.pause",),
    "cloudscheduler.jobs.resume": ("cloudscheduler.jobs.enable",),
    **{f"logging.metrics.{verb}": (f"logging.logMetrics.{verb}",) for verb in ("create", "delete", "list", "update")},
    **{
        f"monitoring.{collection}.{verb}": (f"monitoring.{collection}.{'update' if verb == 'patch' else verb}",)
        for collection in ("alertPolicies", "dashboards")
        for verb in ("create", "delete", "list", "patch")
    },
    "run.jobs.executions.cancel": ("run.executions.cancel",),
    "run.jobs.executions.get": ("run.executions.get",),
    "run.jobs.get": ("run.jobs.get",),
    "run.jobs.list": ("run.jobs.list",),
    "run.jobs.run": ("run.jobs.run", "run.jobs.runWithOverrides"),
    "run.services.list": ("run.services.list",),
    "vpcaccess.connectors.list": ("vpcaccess.connectors.list",),
}
