# syntax=docker/dockerfile:1

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
# The caches outlive a build, so that a change of ours does not compile the dependencies again.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,sharing=locked \
    cargo build --release --locked --bin backstop \
    && cp target/release/backstop /usr/local/bin/backstop \
    && mkdir /data

# Nothing but the C library, time zones and root certificates: no shell, no package manager. It runs as a user without rights.
FROM gcr.io/distroless/cc-debian12:nonroot
LABEL org.opencontainers.image.title="Backstop" \
      org.opencontainers.image.description="Smoke-tests each new deployment and rolls a bad one back through the platform's API" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=build /usr/local/bin/backstop /usr/local/bin/backstop
COPY --from=build --chown=65532:65532 /data /data

# All that is ever written lies below /data, so the root may be read-only:
#   docker run --read-only -v backstop:/data -v ./checks.toml:/etc/backstop/checks.toml:ro -p 8700:8700 …
WORKDIR /data
VOLUME /data
USER 65532:65532
EXPOSE 8700
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s --retries=3 CMD ["/usr/local/bin/backstop", "health"]
ENTRYPOINT ["/usr/local/bin/backstop"]
CMD ["serve", "--config", "/etc/backstop/checks.toml"]
