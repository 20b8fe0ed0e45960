# syntax=docker/dockerfile:1

# The gateway as an image: no root, and nothing in it needs to be written.
#   docker run --read-only --tmpfs /tmp -v ocm:/var/lib/ocm-gateway -p 8080:8080 \
#     -e OCM_GATEWAY_PUBLIC_URL=https://cloud.example.org \
#     -e OCM_GATEWAY_STORAGE__URL=webdav+https://storage.example.org/files/ \
#     -e OCM_GATEWAY_STORAGE__CREDENTIALS_FILE=/run/secrets/storage IMAGE

FROM python:3.13-slim AS build

WORKDIR /src
RUN python -m venv /opt/ocm-gateway
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY gateway gateway
RUN /opt/ocm-gateway/bin/pip install --no-cache-dir --constraint constraints.txt ".[speed]"

FROM python:3.13-slim

LABEL org.opencontainers.image.title="ocm-gateway" \
      org.opencontainers.image.description="Open Cloud Mesh federation for storage that already exists" \
      org.opencontainers.image.licenses="Apache-2.0"

# The number, not a name: Kubernetes can tell only from a number that this is not root.
RUN install -d -o 65532 -g 65532 -m 0700 /var/lib/ocm-gateway
COPY --from=build /opt/ocm-gateway /opt/ocm-gateway

# The operations port stays on the container's own loopback unless the operator opens it.
ENV PATH=/opt/ocm-gateway/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    OCM_GATEWAY_DATA_DIR=/var/lib/ocm-gateway \
    OCM_GATEWAY_HTTP__HOST=0.0.0.0

USER 65532:65532
VOLUME /var/lib/ocm-gateway
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=6 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8081/healthz', timeout=3)"]

ENTRYPOINT ["ocm-gateway"]
CMD ["serve"]
