# SPDX-License-Identifier: Apache-2.0
#
#   docker build --target production -t cyclone:latest .
#   docker run --rm -p 8080:8080 -p 9090:9090 cyclone:latest
#
# Targets: build, test (docker run it), production, debug (with tools and symbols).
# BASE may be any Debian 12 or 13.
ARG BASE=debian:bookworm-slim

# ---- build -----------------------------------------------------------------------------------------
FROM ${BASE} AS build
ENV DEBIAN_FRONTEND=noninteractive
WORKDIR /src
# Dependencies first: they are built again only when the scripts or pins change.
COPY scripts/deps scripts/deps
COPY scripts/lib scripts/lib
COPY cmake cmake
RUN scripts/deps

COPY . .
# Release, Debug or RelWithDebInfo.
ARG BUILD_TYPE=Release
# Comma separated: native (tuned for the building machine), no-io-uring. Others mean nothing here.
ARG FEATURES=
# Accepted because deployment scripts pass it; BUILD_TYPE is what counts.
ARG RUST_RELEASE_MODE=release
ARG REVISION=unknown
RUN set -eu; \
    options=; \
    case ",${FEATURES}," in *,native,*) options="$options -DCYCLONE_NATIVE=ON" ;; esac; \
    case ",${FEATURES}," in *,no-io-uring,*) options="$options -DCYCLONE_IO_URING=OFF" ;; esac; \
    cmake --preset release -DCMAKE_BUILD_TYPE="${BUILD_TYPE}" -DCMAKE_INSTALL_PREFIX=/usr \
        -DCYCLONE_REVISION="${REVISION}" -DCYCLONE_BENCH=OFF $options; \
    cmake --build --preset release; \
    DESTDIR=/stage/symbols cmake --install build/release; \
    DESTDIR=/stage/stripped cmake --install build/release --strip; \
    /stage/stripped/usr/bin/cyclone --version; \
    # The packages of its shared libraries, whose names differ between releases.
    ldd /stage/stripped/usr/bin/cyclone | awk '$2 == "=>" { print "*/" $1 }' | xargs dpkg -S | \
        cut -d: -f1 | sort -u > /stage/packages

# ---- test ------------------------------------------------------------------------------------------
FROM build AS test
RUN scripts/deps --test
CMD ["scripts/test"]

# ---- runtime: what production and debug share ------------------------------------------------------
FROM ${BASE} AS runtime
COPY --from=build /stage/packages /tmp/packages
RUN set -eu; \
    apt-get -qq update; \
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install \
        ca-certificates $(cat /tmp/packages); \
    apt-get clean; \
    rm -rf /var/lib/apt/lists/* /tmp/packages; \
    echo 'cyclone:x:65532:65532:cyclone:/nonexistent:/usr/sbin/nologin' >> /etc/passwd; \
    echo 'cyclone:x:65532:' >> /etc/group; \
    mkdir -p /etc/cyclone /run/cyclone /var/log/cyclone; \
    chown 65532:65532 /run/cyclone /var/log/cyclone

# Without a configuration in /etc/cyclone the image runs the demo service. The admin listener must
# be reachable through a published port; peers may read metrics and health there, nothing else.
ENV CYCLONE_ADMIN_ADDRESS=0.0.0.0:9090
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="cyclone" \
    org.opencontainers.image.description="Reverse-proxy gateway" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}" \
    org.opencontainers.image.licenses="Apache-2.0"
EXPOSE 8080 8443 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=5s --retries=3 \
    CMD ["/usr/bin/cyclone", "health"]
ENTRYPOINT ["/usr/bin/cyclone"]

# ---- debug -----------------------------------------------------------------------------------------
FROM runtime AS debug
RUN set -eu; \
    apt-get -qq update; \
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install \
        curl gdb iproute2 procps strace; \
    rm -rf /var/lib/apt/lists/*
COPY --from=build /stage/symbols/usr /usr
USER 65532:65532

# ---- production (last: also what a build without --target makes) -----------------------------------
FROM runtime AS production
COPY --from=build /stage/stripped/usr /usr
USER 65532:65532
