"""What the operator can count: Prometheus metrics under `ocm_gateway_`, with bounded labels and no names in them."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from gateway import __version__

CONTENT_TYPE = CONTENT_TYPE_LATEST


class Metrics:
    """The metrics of one running gateway, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "ocm_gateway_http_requests",
            "Requests answered.",
            ("door", "method", "status"),
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "ocm_gateway_http_request_duration_seconds",
            "Time from the request's head to the end of its answer.",
            ("door",),
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "ocm_gateway_http_requests_in_flight", "Requests being answered now.", registry=self.registry
        )
        self.streams = Gauge("ocm_gateway_streams", "Requests being served under a grant now.", registry=self.registry)
        self.ssh_sessions = Gauge("ocm_gateway_ssh_sessions", "SSH connections open now.", registry=self.registry)
        self.open_handles = Gauge(
            "ocm_gateway_open_handles", "Files and folders that SSH clients have open now.", registry=self.registry
        )
        self.tunnels = Gauge(
            "ocm_gateway_tunnels",
            "Connections to the service behind that were switched to another protocol, open now.",
            registry=self.registry,
        )
        self.refusals = Counter(
            "ocm_gateway_refusals", "Requests refused, by what was wrong.", ("door", "reason"), registry=self.registry
        )
        self.deliveries = Counter(
            "ocm_gateway_share_deliveries", "Messages to peers, by outcome.", ("outcome",), registry=self.registry
        )
        self.transfers = Gauge("ocm_gateway_transfers", "Transfers being carried out here now.", registry=self.registry)
        self.transfer_bytes_moved = Counter(
            "ocm_gateway_transfer_bytes", "Bytes that transfers took from senders.", registry=self.registry
        )
        self.transfer_faults = Counter(
            "ocm_gateway_transfer_faults", "Files that transfers gave up.", ("kind",), registry=self.registry
        )
        self.store_up = Gauge("ocm_gateway_store_up", "Whether the store answers.", registry=self.registry)
        build = Gauge("ocm_gateway_build_info", "The running version.", ("version",), registry=self.registry)
        build.labels(version=__version__).set(1)

    def transfer_bytes(self, count: int) -> None:
        """Count bytes that came from a sender."""
        self.transfer_bytes_moved.inc(count)

    def transfer_fault(self, kind: str) -> None:
        """Count a file that was given up, by the kind of the error."""
        self.transfer_faults.labels(kind=kind).inc()

    def transfer_running(self, change: int) -> None:
        """Count a transfer that begins (1) or stops (-1) to be carried out here."""
        self.transfers.inc(change)

    def render(self) -> bytes:
        """Return all metrics in the text form that Prometheus scrapes."""
        return generate_latest(self.registry)
