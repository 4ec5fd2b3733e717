# The service as one image: `docker build -t placecode .`; every role is a subcommand of the same program.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /build
COPY . .
# The caches keep compiled crates between builds; the program is copied out, since they are no part of the image.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked --bin placecode \
    && cp target/release/placecode /placecode

FROM debian:bookworm-slim
# Certificates of the authorities, for issuing systems that are reached over TLS.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin placecode
COPY --from=build /placecode /usr/local/bin/placecode
USER 10001:10001
ENV BIND=0.0.0.0:8080
EXPOSE 8080
STOPSIGNAL SIGTERM
# Bash speaks enough HTTP for this, so that the image needs no client. Roles without a port switch the check off.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET /livez HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3 && IFS= read -r status <&3 && [[ $status == *' 200 '* ]]"]
ENTRYPOINT ["placecode"]
CMD ["serve"]
