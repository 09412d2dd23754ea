# The vault as an image. Stage 1 builds the wheel and an environment from pinned, hashed requirements; stage 2 holds
# the environment and nothing that built it.
#
#     docker build -t evidence-vault .
#     docker run --rm -v vault:/var/lib/evidence-vault evidence-vault init
#     docker run -d --name vault -v vault:/var/lib/evidence-vault -p 127.0.0.1:8460:8460 evidence-vault
#     docker exec vault evidence-vault token create --name 'Who it is for'

ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
COPY requirements/build.txt requirements/server.txt requirements/
# The environment has no pip of its own; that of /build fills it. Wheels only: nothing runs while it is installed.
RUN python -m venv /build && \
    /build/bin/pip install --require-hashes --only-binary :all: -r requirements/build.txt && \
    python -m venv --without-pip /opt/evidence-vault && \
    /build/bin/pip --python /opt/evidence-vault/bin/python install --require-hashes --only-binary :all: \
      -r requirements/server.txt
COPY pyproject.toml README.md LICENSE ./
COPY docs/spec/schemas docs/spec/schemas
COPY migrations migrations
COPY anchors anchors
COPY evidence_vault evidence_vault
RUN /build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . && \
    /build/bin/pip --python /opt/evidence-vault/bin/python install --no-deps /wheels/*.whl && \
    /opt/evidence-vault/bin/python -m compileall -q /opt/evidence-vault/lib

FROM ${PYTHON_IMAGE}
COPY --from=build /opt/evidence-vault /opt/evidence-vault
RUN useradd --no-log-init --uid 10001 --user-group --no-create-home --home-dir /var/lib/evidence-vault \
      --shell /usr/sbin/nologin evidence-vault && \
    install -d -m 0700 -o 10001 -g 10001 /var/lib/evidence-vault
# Inside, it must listen on all addresses; outside, publish the port on loopback and put TLS before it.
ENV PATH=/opt/evidence-vault/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    EVIDENCE_VAULT_HOME=/var/lib/evidence-vault \
    EVIDENCE_VAULT_LISTEN_HOST=0.0.0.0
USER 10001:10001
WORKDIR /var/lib/evidence-vault
VOLUME /var/lib/evidence-vault
EXPOSE 8460
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8460/healthz', timeout=4)"]
ENTRYPOINT ["evidence-vault"]
CMD ["serve"]
