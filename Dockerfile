# syntax=docker/dockerfile:1

FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
# Dependencies first, in a layer that only the lock file changes.
COPY .cargo .cargo
COPY Cargo.toml Cargo.lock ./
COPY eval/Cargo.toml eval/
COPY training/Cargo.toml training/
COPY tests/qdrant/Cargo.toml tests/qdrant/
# The other members are never built; they only have to be there.
RUN mkdir -p src eval/src training/src tests/it tests/qdrant/src && touch src/lib.rs tests/it/main.rs \
    && echo 'fn main() {}' | tee src/main.rs eval/src/main.rs training/src/main.rs > tests/qdrant/src/main.rs \
    && cargo build --locked --profile dist -p deskhand \
    && rm -rf src
COPY models models
COPY eval/sample eval/sample
COPY src src
RUN touch src/main.rs src/lib.rs \
    && cargo build --locked --profile dist -p deskhand \
    && mkdir -p /out/data /out/models && cp target/dist/deskhand /out/

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /out/deskhand /usr/local/bin/deskhand
COPY --from=build --chown=nonroot:nonroot /out/data /data
COPY --from=build --chown=nonroot:nonroot /out/models /models
# Inside a container the address is the container's own, and others can reach it: make a key first,
# docker run --rm -v deskhand:/data IMAGE keys create NAME --scope admin
ENV DESKHAND__SERVER__LISTEN=0.0.0.0:8080 \
    DESKHAND__DATA__FOLDER=/data \
    DESKHAND__MODEL__CACHE=/models
VOLUME ["/data", "/models"]
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=120s \
    CMD ["/usr/local/bin/deskhand", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/deskhand"]
CMD ["serve"]
