# SPDX-License-Identifier: Apache-2.0
# Two images from one file: `kstatusd` (the default) and `demo` (the simulated cluster for docker-compose.yml).
# The steps are the Makefile's own targets, the same that CI runs.

FROM debian:12-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends make && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN make install DESTDIR=/out PREFIX=/usr && rm -rf /var/lib/apt/lists/*

FROM debian:12-slim AS demo
COPY --from=build /src/scripts/deps.txt /src/scripts/install-deps /tmp/scripts/
RUN /tmp/scripts/install-deps run demo && rm -rf /var/lib/apt/lists/* /tmp/scripts
COPY --from=build /src/build/bin/kubesim /usr/bin/kubesim
COPY --from=build /src/tests/scenarios/demo.ndjson /usr/share/kstatusd/demo.ndjson
USER 65532:65532
ENTRYPOINT ["/usr/bin/kubesim"]
CMD ["--listen", "127.0.0.1:6443", "--kubeconfig", "/shared/kubeconfig", "--scenario", "/usr/share/kstatusd/demo.ndjson"]
HEALTHCHECK --interval=2s --timeout=2s --retries=15 CMD ["/bin/test", "-s", "/shared/kubeconfig"]

FROM debian:12-slim AS kstatusd
COPY --from=build /src/scripts/deps.txt /src/scripts/install-deps /tmp/scripts/
RUN /tmp/scripts/install-deps run && rm -rf /var/lib/apt/lists/* /tmp/scripts
COPY --from=build /out/usr/bin/ /usr/bin/
USER 65532:65532
EXPOSE 7443 7480
ENTRYPOINT ["/usr/bin/kstatusd"]
HEALTHCHECK --interval=10s --timeout=3s --retries=3 CMD ["/usr/bin/kstatus", "health"]
