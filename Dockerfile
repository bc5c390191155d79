# The exchange as an image. PostgreSQL and Redis are others' (docker-compose.yml), or the embedded ones in /data.
#
#   docker build --tag exchange .
#   docker build --tag exchange --build-arg COMPILED=1 .    # what an order passes as C, by mypyc
FROM python:3.12-slim-bookworm AS build
ARG COMPILED=0
RUN if [ "$COMPILED" = 1 ]; then \
        apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev && \
        rm -rf /var/lib/apt/lists/*; \
    fi
WORKDIR /source
RUN python -m venv /exchange
COPY requirements.lock pyproject.toml README.md LICENSE ./
COPY exchange exchange
RUN HATCH_BUILD_HOOK_ENABLE_MYPYC=$COMPILED /exchange/bin/pip install --no-cache-dir --constraint requirements.lock .

FROM python:3.12-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /data exchange && \
    install --directory --owner=exchange --group=exchange --mode=700 /data
COPY --from=build /exchange /exchange
USER exchange
WORKDIR /data
ENV EXCHANGE_HOST=0.0.0.0 EXCHANGE_DATA_DIR=/data EXCHANGE_LOG_FORMAT=json
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
    CMD ["/exchange/bin/python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/ready', timeout=2)"]
# Longer than EXCHANGE_SHUTDOWN_SECONDS, in which what is under way is answered: docker stop --time 30.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/exchange/bin/exchange"]
CMD ["serve"]
